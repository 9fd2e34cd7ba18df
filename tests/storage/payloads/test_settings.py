"""What follows from an amount of memory: never more than that, and always enough for one upload."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore_storage.payloads import PayloadSettings

MIB = 1 << 20
LEAST = PayloadSettings.least_memory_bytes()


@given(memory_bytes=st.integers(LEAST, 4096 * MIB), uploads_at_once=st.integers(1, 100))
@example(LEAST, 8)
@example(384 * MIB, 8)
def test_it_is_never_more(memory_bytes: int, uploads_at_once: int) -> None:
    of = PayloadSettings.within(memory_bytes, uploads_at_once=uploads_at_once)
    assert of.memory_bytes <= memory_bytes
    assert 1 <= of.uploads_at_once <= uploads_at_once
    assert of.packs_in_flight >= 1
    assert of.batches_in_flight >= 1
    assert of.batch_bytes >= MIB


@given(memory_bytes=st.integers(LEAST, 2048 * MIB), uploads_at_once=st.integers(1, 32))
def test_fewer_take_bytes_only_where_there_is_no_room(memory_bytes: int, uploads_at_once: int) -> None:
    of = PayloadSettings.within(memory_bytes, uploads_at_once=uploads_at_once)
    if of.uploads_at_once < uploads_at_once:
        least = PayloadSettings.within(LEAST, uploads_at_once=1)
        assert (of.uploads_at_once + 1) * least.upload_bytes + least.pack_bytes > memory_bytes


@given(more=st.integers(0, 1024 * MIB))
def test_more_is_never_worse(more: int) -> None:
    few, many = PayloadSettings.within(LEAST + more), PayloadSettings.within(LEAST + more + 64 * MIB)
    assert many.uploads_at_once >= few.uploads_at_once
    if many.uploads_at_once == few.uploads_at_once:
        assert many.upload_bytes >= few.upload_bytes


def test_the_default_is_what_the_docs_tell() -> None:
    of = PayloadSettings.within(384 * MIB, uploads_at_once=8)
    assert (of.uploads_at_once, of.memory_bytes) == (8, 384 * MIB)
    # One upload alone holds no more than its part and the pack files that it may have in flight.
    assert of.upload_bytes + of.packs_per_upload * of.pack_bytes < 100 * MIB


def test_too_little_for_one() -> None:
    assert PayloadSettings.within(LEAST, uploads_at_once=8).uploads_at_once == 1
    with pytest.raises(ValueError, match=str(LEAST)):
        PayloadSettings.within(LEAST - 1)
