"""What a cluster promises, checked against a recorded history: pure functions, nothing is read or written.

A history is a sequence of ``records``, in the order in which they were made; ``checker`` asks every rule
about one.
"""
