"""Longshore's storage: three ports with their adapters, and storing and reading payloads over them.

Owns the rows of the catalogue, the objects of the blob store and the keys of the coordination
service. Knows no gRPC and no bundle: a payload is bytes here. Invariants: SQL is the truth, blobs are
immutable and verified by whoever reads them, coordination is liveness only.
"""
