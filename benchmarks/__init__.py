"""What Longshore costs, measured: `make bench`. Benchmarks, never timed tests."""
