"""Makes a program's clock one that can be set: Python finds this when it starts, ahead of everything else.

The time of day is off by as many seconds as the file ``SHIFTED_CLOCK`` says, which may change at any moment.
Monotonic clocks, like those of a real machine, do not jump.
"""

import datetime
import os
import time
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["SHIFTED_CLOCK"])
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


def _shift_s() -> int:
    return int(_FILE.read_text())


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _ShiftedDatetime(datetime.datetime, metaclass=_AnyDatetime):
    __slots__ = ()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=_shift_s())


time.time = lambda: _time() + _shift_s()
time.time_ns = lambda: _time_ns() + _shift_s() * 10**9
datetime.datetime = _ShiftedDatetime  # type: ignore[misc]
