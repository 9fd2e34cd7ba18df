"""What every test may ask for: the real services."""

pytest_plugins = ["tests.services.fixtures"]
