"""The wire: servicers, conversion to and from protobuf, and the one place where errors become statuses."""
