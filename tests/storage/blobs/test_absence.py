from __future__ import annotations

from longshore_storage.blobs.absence import Absence


def test_one_looks_whether_it_is_back_and_the_others_wait_for_what_is_found() -> None:
    now_s = 100.0
    absence = Absence(lambda: now_s)
    assert not absence.lasts()
    assert not absence.end()
    assert absence.begin()
    assert not absence.begin()
    now_s += 9
    assert absence.lasts()
    now_s += 2
    assert [absence.lasts() for _ in range(3)] == [False, True, True]
    absence.begin()
    now_s += 9
    assert absence.lasts()
    now_s += 2
    assert not absence.lasts()
    assert absence.end()
    assert [absence.lasts() for _ in range(3)] == [False, False, False]
