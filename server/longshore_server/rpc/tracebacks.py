"""The frames that an error came through are let go of before its call is aborted.

gRPC keeps the error with which a call is aborted, that error has ours, and ours the frames that it came
through, with the message that was refused in one of them; and some of them have the call. Such a circle lives
until Python's collector of garbage comes upon it, which goes by how many objects there are and not by how
large they are: three hundred refused messages of 4 MB were 1.4 GB.
"""

from __future__ import annotations


def forget_tracebacks(error: BaseException) -> None:
    """Take the tracebacks from an error and from all that led to it: it was told already, where it is told.

    The frames are not emptied: of an error that several calls wait for, one of them may still be needed.
    """
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        pending += [one.__context__, one.__cause__]
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions
