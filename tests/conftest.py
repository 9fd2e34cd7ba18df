"""What every test may ask for: the real services."""

import signal

pytest_plugins = ["tests.services.fixtures"]

# A run that was started in the background ignores Ctrl-C, and so would every program that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
