"""Several servers of one store: they take turns, and nobody waits for one that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
import structlog
from structlog.testing import capture_logs

from longshore_storage.blobs import S3BlobStore, absence, open_blob_store
from longshore_storage.errors import BlobNotFound, BlobStoreUnavailable, Misconfigured
from tests.storage.blobs.stub_store import Answer, StubStore, s3_error, stub_store

HERE = Answer(200, b"body")
AWAY = Answer(0, drop=True)


@contextmanager
def servers(*answers: Answer) -> Iterator[list[StubStore]]:
    with ExitStack() as stack:
        yield [stack.enter_context(stub_store(answer)) for answer in answers]


@asynccontextmanager
async def store_of(stubs: list[StubStore], *, retry_for_s: float = 0) -> AsyncIterator[S3BlobStore]:
    store = S3BlobStore(
        [stub.endpoint for stub in stubs],
        "bucket",
        access_key="AK",
        secret_key="SK",
        secure=False,
        retry_for_s=retry_for_s,
    )
    try:
        yield store
    finally:
        await store.close()


def counts(stubs: list[StubStore]) -> list[int]:
    return [len(stub.requests) for stub in stubs]


async def test_they_take_turns() -> None:
    with servers(HERE, HERE, HERE) as stubs:
        async with store_of(stubs) as store:
            for _ in range(9):
                assert await store.get("packs/one") == b"body"
        assert counts(stubs) == [3, 3, 3]


@pytest.mark.parametrize("fault", [AWAY, Answer(502), s3_error(503, "XMinioServerNotInitialized")])
async def test_one_that_failed_is_left_out_and_costs_no_request_its_answer(fault: Answer) -> None:
    with servers(HERE, fault, HERE) as stubs:
        async with store_of(stubs) as store:
            for _ in range(10):
                assert await store.get("packs/one") == b"body"
        first, failed, last = counts(stubs)
        assert (failed, first + last) == (1, 10)


async def test_where_all_failed_all_are_asked() -> None:
    with servers(AWAY, AWAY) as stubs:
        async with store_of(stubs) as store:
            for round_ in (1, 2):
                with pytest.raises(BlobStoreUnavailable, match="cannot be reached"):
                    await store.get("packs/one")
                assert counts(stubs) == [round_, round_]
            with pytest.raises(BlobStoreUnavailable):
                await store.check()
            assert counts(stubs) == [3, 3]


async def test_a_put_goes_on_at_another_server_with_the_whole_body() -> None:
    with servers(AWAY, Answer(200, headers={"ETag": "x"})) as stubs:
        async with store_of(stubs) as store:
            for _ in range(2):
                await store.put("packs/one", [b"whole ", b"body"], crc32c=0)
        assert counts(stubs) == [1, 2]
        assert stubs[1].bodies == [b"whole body"] * 2


async def test_what_is_not_there_is_asked_of_each_and_what_is_wrong_of_one() -> None:
    for answer, error, asked in (
        (s3_error(404, "NoSuchKey"), BlobNotFound, 3),
        (s3_error(403, "AccessDenied"), Misconfigured, 1),
    ):
        with servers(answer, answer, answer) as stubs:
            async with store_of(stubs) as store:
                with pytest.raises(error):
                    await store.get("packs/one")
            assert sum(counts(stubs)) == asked
            assert max(counts(stubs)) == 1


async def test_what_one_server_does_not_find_another_may() -> None:
    """As one does that was just started, and does not see the drives of the others yet."""
    gone = s3_error(404, "NoSuchKey")
    for answers in ((gone, HERE, gone), (gone, gone, HERE)):
        with servers(*answers) as stubs, capture_logs() as logs:
            async with store_of(stubs) as store:
                assert await store.get("packs/one") == b"body"
            assert sum(counts(stubs)) == answers.index(HERE) + 1
        assert not logs


@pytest.mark.parametrize("away", [AWAY, Answer(503), s3_error(503, "SlowDownRead")])
async def test_what_is_not_found_while_a_server_is_away_may_be_there(away: Answer) -> None:
    gone = s3_error(404, "NoSuchKey")
    with servers(away, gone) as stubs:
        async with store_of(stubs) as store:
            with pytest.raises(BlobStoreUnavailable, match="not all of its servers answered"):
                await store.get("packs/one")


async def test_what_is_not_found_twice_by_all_that_are_back_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absence, "_AWAY_S", 0)
    gone = s3_error(404, "NoSuchKey")
    with stub_store(AWAY, gone) as one, stub_store(gone) as other:
        async with store_of([one, other], retry_for_s=30) as store:
            with pytest.raises(BlobNotFound):
                await store.get("packs/one")
        assert len(one.requests) > 1


async def test_one_server_that_failed_and_finds_nothing_then_is_asked_once_more() -> None:
    gone = s3_error(404, "NoSuchKey")
    for last, error in ((gone, BlobNotFound), (HERE, None)):
        with stub_store(Answer(503), gone, last) as stub:
            async with store_of([stub], retry_for_s=30) as store:
                if error is None:
                    assert await store.get("packs/one") == b"body"
                else:
                    with pytest.raises(error):
                        await store.get("packs/one")
            assert len(stub.requests) == 3


async def test_a_lost_quorum_is_told_as_such_and_is_no_servers_fault() -> None:
    lost = s3_error(503, "SlowDownWrite")
    with stub_store(lost, HERE) as one, stub_store(lost, HERE) as other:
        async with store_of([one, other]) as store:
            with pytest.raises(BlobStoreUnavailable, match=r"cannot write \(SlowDownWrite\): too few of its"):
                await store.put("packs/one", [b"body"], crc32c=0)
            for _ in range(4):
                await store.get("packs/one")
        assert counts([one, other]) == [3, 3]


@pytest.mark.parametrize("away", [AWAY, Answer(503), s3_error(503, "SlowDownRead")])
async def test_a_replica_is_believed_that_it_lacks_an_object_whichever_of_its_servers_are_away(
    away: Answer,
) -> None:
    """It lags, and the main store is asked then; so it is not left out."""
    gone = s3_error(404, "NoSuchKey")
    with servers(away, gone) as replica, stub_store(HERE) as main:
        async with open_blob_store(
            f"s3+http://AK:SK@{main.endpoint}/bucket",
            read_urls=[f"s3+http://{','.join(stub.endpoint for stub in replica)}/bucket"],
        ) as store:
            with structlog.testing.capture_logs() as logs:
                for _ in range(4):
                    assert await store.get("packs/one") == b"body"
        assert len(main.requests) == counts(replica)[1] == 4
        assert "blobs.replica_away" not in [line["event"] for line in logs]
