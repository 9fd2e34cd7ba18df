"""Places: so many are taken, the others stand in order, and whatever happens none is lost."""

from __future__ import annotations

import asyncio

import pytest

from longshore_storage.payloads import Places, TooManyUploads


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_as_many_are_let_in_as_may_take_bytes_and_wait() -> None:
    places = Places(2, 1)
    booked = [places.book() for _ in range(3)]
    with pytest.raises(TooManyUploads, match="2 uploads take bytes on this node and 1 more wait"):
        places.book()
    booked[0].leave()
    booked[0].leave()
    places.book()
    with pytest.raises(TooManyUploads):
        places.book()
    assert places.booked == 3


async def test_half_of_the_places_are_all_that_one_owner_may_book() -> None:
    places = Places(2, 1)
    booked = [places.book("alice"), places.book("alice")]
    with pytest.raises(TooManyUploads, match="2 of this node's uploads are alice's"):
        places.book("alice")
    places.book("bob")
    with pytest.raises(TooManyUploads, match="take bytes on this node"):
        places.book("carol")
    booked[0].leave()
    places.book("alice")


async def test_a_place_is_taken_when_it_is_needed_and_in_that_order() -> None:
    places = Places(1, 3)
    booked = [places.book() for _ in range(4)]
    assert [booked[number].join() for number in (2, 0, 3, 1)] == [0, 1, 2, 3]
    assert booked[3].join() == 2
    for leaving, following in ((2, 0), (0, 3), (3, 1)):
        assert booked[leaving].is_taken
        assert not booked[following].is_taken
        booked[leaving].leave()
        await booked[following].take()
    booked[1].leave()
    assert places.booked == 0


async def test_one_that_goes_away_from_the_queue() -> None:
    places = Places(1, 3)
    first, second, third = (places.book() for _ in range(3))
    await first.take()
    waits = [asyncio.create_task(place.take()) for place in (second, third)]
    await settled()
    waits[0].cancel()
    await settled()
    second.leave()
    assert third.join() == 1
    first.leave()
    await waits[1]
    third.leave()
    assert places.booked == 0


async def test_one_that_is_cancelled_in_the_moment_of_its_turn_lets_the_next_in() -> None:
    places = Places(1, 2)
    first, second, third = (places.book() for _ in range(3))
    await first.take()
    waits = [asyncio.create_task(place.take()) for place in (second, third)]
    await settled()
    first.leave()
    waits[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits[0]
    assert (second.is_taken, third.is_taken) == (True, False)
    second.leave()
    await waits[1]


async def test_as_many_give_up_as_wait() -> None:
    places = Places(3, 5)
    booked = [places.book() for _ in range(5)]
    for place in booked[:3]:
        await place.take()
    assert not booked[0].give_up()
    booked[3].join()
    assert not booked[3].give_up()
    assert [place.give_up() for place in booked[:3]] == [True, False, False]
    booked[4].join()
    assert [place.give_up() for place in booked[1:3]] == [True, False]
    booked[0].leave()
    booked[1].leave()
    assert all(place.is_taken for place in booked[2:])
    places.book().join()
    assert booked[2].give_up()


async def test_an_owner_takes_half_of_the_places_and_others_pass_him_by() -> None:
    places = Places(4, 8)
    hers = [places.book("alice") for _ in range(4)]
    assert [place.join() for place in hers] == [0, 0, 1, 2]
    his = [places.book("bob") for _ in range(2)]
    assert [place.join() for place in his] == [0, 0]
    # No place that he leaves is for anybody who waits.
    assert not his[0].give_up()
    assert hers[0].give_up()
    his[0].leave()
    assert [place.is_taken for place in hers] == [True, True, False, False]
    hers[0].leave()
    assert [place.is_taken for place in hers[1:]] == [True, True, False]
    unknown = [places.book() for _ in range(3)]
    assert [place.join() for place in unknown] == [0, 2, 3]
    for place in (*hers, *his, *unknown):
        place.leave()
    assert places.booked == places.waiting == 0


async def test_the_places_of_one_who_is_alone() -> None:
    places = Places(1, 3)
    hers = [places.book("alice") for _ in range(2)]
    assert [place.join() for place in hers] == [0, 1]
    assert hers[0].give_up()
    hers[0].leave()
    assert hers[1].is_taken
