"""Deploying: from a header or a request to a recorded deployment in the queue."""
