"""What may become of a deployment besides success: cancelled, staged, taken off, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from longshore_server.deploying.queueing import FROZEN
from longshore_server.refusal import Reason, Refusal
from longshore_server.rollout.step import Progress
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.audit_trail import list_audit
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.lifecycle import (
    ActivationStatus,
    DeploymentKind,
    DeploymentStatus,
    QueuePolicy,
)

from .rollouts import Place, open_place

A = ActivationStatus
D = DeploymentStatus


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    """Three releases, two nodes, nothing live."""
    async with open_place(catalogue, nodes="ab") as place:
        yield place


def reason_of(caught: pytest.ExceptionInfo[Refusal]) -> Reason:
    return caught.value.reason


class TestCancelling:
    @pytest.mark.parametrize("stage_only", [False, True])
    async def test_before_its_rollout_it_ends_at_once(self, place: Place, stage_only: bool) -> None:
        deployment_id = await place.queue("1.0.0", stage_only=stage_only)
        cancelled = await place.cancel(deployment_id, "wrong branch")
        assert (cancelled.status, cancelled.cancelled_by) == (D.CANCELLED, "tests")
        assert cancelled.status_message == "cancelled by tests: wrong branch"
        assert cancelled.error is not None
        assert cancelled.error["reason"] == "CANCELLED"
        assert cancelled.end_time is not None
        assert await place.cancel(deployment_id) == cancelled
        assert await place.step().take() is Progress.NOTHING_LEFT
        assert await place.activations(1) == {}

    async def test_a_rollout_is_taken_back_first(self, place: Place) -> None:
        first = await place.make_live("1.0.0", "a", "b")
        second = await place.queue("2.0.0")
        step = place.step()
        await step.take()
        await place.report("a", A.LIVE)
        asked = await place.cancel(second, "too slow")
        assert (asked.status, asked.cancelled_by) == (D.ROLLING_OUT, "tests")
        assert await step.take() is Progress.MOVED
        reverting = await place.get(second)
        assert (reverting.status, reverting.intended_outcome) == (D.REVERTING, "CANCELLED")
        # Whoever asks again while it goes back changes nothing.
        assert (await place.cancel(second, "another reason")).cancel_reason == "too slow"
        for node in ("a", "b"):
            (due,) = await place.due(node)
            assert due.generation == reverting.revert_generation
            await place.report(node, A.LIVE)
        await step.take()
        cancelled = await place.get(second)
        assert cancelled.status is D.CANCELLED
        assert "cancelled by tests: too slow" in cancelled.status_message
        assert (await place.live()).live_deployment_id == first
        async with place.catalogue.reading() as transaction:
            told = [entry.action for entry in await list_audit(transaction, deployment_id=second, limit=50)]
        assert told.count("deployment.cancel_requested") == 1
        assert told[0] == "deployment.cancelled"

    async def test_the_first_one_is_taken_off(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0")
        step = place.step()
        await step.take()
        await place.report("a", A.LIVE)
        await place.cancel(deployment_id)
        await step.take()
        for node in ("a", "b"):
            (due,) = await place.due(node)
            assert due.release_id is None
            await place.report(node, A.REMOVED)
        await step.take()
        assert (await place.get(deployment_id)).status is D.CANCELLED
        assert (await place.live()).live_deployment_id is None

    async def test_what_goes_back_already_ends_as_it_would(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0")
        step = place.step()
        await step.take()
        await place.report("a", A.FAILED, "boom")
        await step.take()
        with pytest.raises(Refusal) as caught:
            await place.cancel(deployment_id)
        assert reason_of(caught) is Reason.STATUS_CONFLICT
        for node in ("a", "b"):
            await place.report(node, A.REMOVED)
        await step.take()
        assert (await place.get(deployment_id)).status is D.FAILED

    async def test_what_has_ended_is_not_cancelled(self, place: Place) -> None:
        deployment_id = await place.make_live("1.0.0", "a", "b")
        with pytest.raises(Refusal) as caught:
            await place.cancel(deployment_id)
        assert reason_of(caught) is Reason.STATUS_CONFLICT
        with pytest.raises(Refusal) as caught:
            await place.cancel(str(uuid4()))
        assert reason_of(caught) is Reason.DEPLOYMENT_NOT_FOUND

    async def test_another_controller_goes_on_with_it(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0")
        former = place.step(name="former")
        await former.take()
        await place.cancel(deployment_id)
        successor = place.step(name="successor")
        await successor.take_over()
        await successor.take()
        with pytest.raises(StatusMoved):
            for node in ("a", "b"):
                await place.report(node, A.REMOVED)
            await former.take()
        await successor.take()
        assert (await place.get(deployment_id)).status is D.CANCELLED

    async def test_cancelled_and_begun_at_once_it_is_one_or_the_other(self, place: Place) -> None:
        for _ in range(5):
            deployment_id = await place.queue("1.0.0")
            step = place.step()
            await asyncio.gather(place.cancel(deployment_id), step.take())
            while (await place.get(deployment_id)).status is not D.CANCELLED:
                for node in ("a", "b"):
                    if await place.due(node):
                        await place.report(node, A.REMOVED)
                await step.take()
            assert (await place.live()).live_deployment_id is None


class TestGates:
    async def test_staged_it_waits_until_it_is_promoted(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0", stage_only=True)
        staged = await place.get(deployment_id)
        assert (staged.status, staged.queue_order) == (D.STAGED, None)
        assert staged.gate_id
        assert await place.step().take() is Progress.NOTHING_LEFT
        promoted = await place.promote(deployment_id)
        assert (promoted.status, promoted.queue_order) == (D.QUEUED, 1)
        # The call that is made again, because its answer was lost, changes nothing.
        assert (await place.promote(deployment_id)).last_sequence == promoted.last_sequence
        assert await place.step().take() is Progress.MOVED

    async def test_it_keeps_nothing_else_waiting(self, place: Place) -> None:
        staged = await place.queue("1.0.0", stage_only=True)
        other = await place.make_live("2.0.0", "a", "b")
        await place.promote(staged)
        step = place.step()
        await step.take()
        assert (await place.get(staged)).previous_deployment_id == other

    async def test_only_the_gate_that_was_looked_at_is_passed(self, place: Place) -> None:
        staged = await place.queue("1.0.0", stage_only=True)
        queued = await place.queue("2.0.0")
        for deployment_id in (staged, queued):
            with pytest.raises(Refusal) as caught:
                await place.promote(deployment_id, str(uuid4()))
            assert reason_of(caught) is Reason.GATE_MISMATCH

    async def test_promoted_twice_at_once_it_is_queued_once(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0", stage_only=True)
        gate_id = (await place.get(deployment_id)).gate_id
        both = await asyncio.gather(*(place.promote(deployment_id, gate_id) for _ in range(2)))
        assert {one.queue_order for one in both} == {1}

    async def test_promoted_and_cancelled_at_once_it_is_one_or_the_other(self, place: Place) -> None:
        for _ in range(5):
            deployment_id = await place.queue("1.0.0", stage_only=True)
            promoted, _ = await asyncio.gather(
                place.promote(deployment_id), place.cancel(deployment_id), return_exceptions=True
            )
            if isinstance(promoted, BaseException):
                assert isinstance(promoted, Refusal)
                assert promoted.reason is Reason.STATUS_CONFLICT
            assert (await place.get(deployment_id)).status is D.CANCELLED

    async def test_its_terms_must_hold_when_it_is_promoted(self, place: Place) -> None:
        staged = await place.queue("2.0.0", stage_only=True, expected_live="")
        await place.make_live("1.0.0", "a", "b")
        with pytest.raises(Refusal) as caught:
            await place.promote(staged)
        assert reason_of(caught) is Reason.LIVE_CHANGED
        assert (await place.get(staged)).status is D.STAGED

    async def test_cancelled_at_its_gate_it_passes_none(self, place: Place) -> None:
        deployment_id = await place.queue("1.0.0", stage_only=True)
        await place.cancel(deployment_id)
        with pytest.raises(Refusal) as caught:
            await place.promote(deployment_id)
        assert reason_of(caught) is Reason.STATUS_CONFLICT


class TestFreezing:
    async def test_what_only_waits_supersedes_nothing(self, place: Place) -> None:
        rolling = await place.queue("1.0.0")
        step = place.step()
        await step.take()
        urgent = await place.queue("2.0.0", queue_policy=QueuePolicy.SUPERSEDE)
        await place.freeze("not today")
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.get(rolling)).status is D.SUCCEEDED
        await step.take()
        waiting = await place.get(urgent)
        assert (waiting.status, waiting.status_reason) == (D.QUEUED, FROZEN)
        await place.freeze("")
        assert await step.take() is Progress.MOVED
        assert (await place.get(urgent)).status is D.ROLLING_OUT

    async def test_a_rollback_goes_only_to_what_was_live(self, place: Place) -> None:
        await place.make_live("1.0.0", "a", "b")
        await place.make_live("2.0.0", "a", "b")
        await place.freeze("not today")
        with pytest.raises(Refusal) as caught:
            await place.roll_back("3.0.0")
        assert reason_of(caught) is Reason.FROZEN
        assert (await place.get(await place.roll_back("1.0.0"))).version == "1.0.0"


class TestUndeploying:
    async def test_it_takes_the_project_off_every_node(self, place: Place) -> None:
        live = await place.make_live("1.0.0", "a", "b")
        undeploy = await place.undeploy()
        step = place.step()
        await step.take()
        begun = await place.get(undeploy)
        assert (begun.kind, begun.previous_deployment_id) == (DeploymentKind.UNDEPLOY, live)
        for node in ("a", "b"):
            (due,) = await place.due(node)
            assert due.release_id is None
            await place.report(node, A.REMOVED)
        await step.take()
        assert (await place.get(undeploy)).status is D.SUCCEEDED
        after = await place.live()
        assert (after.live_release_id, after.live_deployment_id) == (None, undeploy)

    async def test_a_rollback_brings_back_what_was_removed(self, place: Place) -> None:
        await place.make_live("1.0.0", "a", "b")
        second = await place.make_live("2.0.0", "a", "b")
        undeploy = await place.undeploy()
        step = place.step()
        await step.take()
        for node in ("a", "b"):
            await place.report(node, A.REMOVED)
        await step.take()
        back = await place.get(await place.roll_back())
        assert (back.version, back.restored_deployment_id, back.rollback_of) == ("2.0.0", second, undeploy)
        await step.take()
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.get(undeploy)).rolled_back_by == back.id
        assert (await place.get(await place.roll_back())).version == "1.0.0"

    async def test_a_node_that_cannot_let_all_go_back(self, place: Place) -> None:
        live = await place.make_live("1.0.0", "a", "b")
        undeploy = await place.undeploy()
        step = place.step()
        await step.take()
        await place.report("a", A.REMOVED)
        await place.report("b", A.FAILED, "busy")
        await step.take()
        for node in ("a", "b"):
            (due,) = await place.due(node)
            assert due.release_id is not None
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.get(undeploy)).status is D.FAILED
        assert (await place.live()).live_deployment_id == live

    async def test_with_nothing_there_is_nothing_to_do(self, place: Place) -> None:
        assert await place.undeploy() == ""
        # Behind what is unfinished there will be something.
        await place.queue("1.0.0")
        assert await place.undeploy()


class TestRetrying:
    async def test_a_failed_one_is_tried_again(self, place: Place) -> None:
        failed = await place.queue("1.0.0")
        step = place.step()
        await step.take()
        await place.report("a", A.FAILED, "boom")
        await step.take()
        with pytest.raises(Refusal) as caught:
            await place.retry(failed)
        assert reason_of(caught) is Reason.STATUS_CONFLICT
        for node in ("a", "b"):
            await place.report(node, A.REMOVED)
        await step.take()
        again = await place.get(await place.retry(failed))
        assert (again.retry_of, again.version, again.kind) == (failed, "1.0.0", DeploymentKind.RELEASE)
        await step.take()
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.live()).live_deployment_id == again.id
        with pytest.raises(Refusal) as caught:
            await place.retry(again.id)
        assert reason_of(caught) is Reason.STATUS_CONFLICT

    async def test_an_undeploy_and_a_rollback_stay_what_they_were(self, place: Place) -> None:
        first = await place.make_live("1.0.0", "a", "b")
        await place.make_live("2.0.0", "a", "b")
        undeploy = await place.undeploy()
        await place.cancel(undeploy)
        rollback = await place.roll_back()
        await place.cancel(rollback)
        assert (await place.get(await place.retry(undeploy))).kind is DeploymentKind.UNDEPLOY
        again = await place.get(await place.retry(rollback))
        assert (again.kind, again.version, again.restored_deployment_id) == (
            DeploymentKind.ROLLBACK,
            "1.0.0",
            first,
        )

    async def test_a_rollback_that_is_tried_again_comes_before_everything(self, place: Place) -> None:
        await place.make_live("1.0.0", "a", "b")
        await place.make_live("2.0.0", "a", "b")
        rollback = await place.roll_back()
        await place.cancel(rollback)
        rolling = await place.queue("3.0.0")
        step = place.step()
        await step.take()
        again = await place.retry(rollback)
        await step.take()
        assert (await place.get(rolling)).status is D.SUPERSEDED
        begun = await place.get(again)
        assert (begun.status, begun.version, begun.rollback_of) == (D.ROLLING_OUT, "1.0.0", rolling)


class TestTerms:
    async def test_what_is_expected_to_be_live_must_be(self, place: Place) -> None:
        with pytest.raises(Refusal) as caught:
            await place.queue("1.0.0", expected_live=str(uuid4()))
        assert reason_of(caught) is Reason.LIVE_CHANGED
        first = await place.queue("1.0.0", expected_live="")
        step = place.step()
        await step.take()
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        with pytest.raises(Refusal):
            await place.queue("2.0.0", expected_live="")
        await place.queue("2.0.0", expected_live=first)

    async def test_it_is_looked_at_again_when_its_turn_comes(self, place: Place) -> None:
        first = await place.make_live("1.0.0", "a", "b")
        before = await place.queue("2.0.0")
        waiting = await place.queue("3.0.0", expected_live=first)
        step = place.step()
        await step.take()
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.live()).live_deployment_id == before
        assert await step.take() is Progress.MOVED
        refused = await place.get(waiting)
        assert refused.status is D.FAILED
        assert refused.error is not None
        assert refused.error["reason"] == "LIVE_CHANGED"
        assert await step.take() is Progress.NOTHING_LEFT

    async def test_superseding_takes_the_place_of_all_that_is_unfinished(self, place: Place) -> None:
        rolling, queued = await place.queue("1.0.0"), await place.queue("2.0.0")
        step = place.step()
        await step.take()
        urgent = await place.queue("3.0.0", queue_policy=QueuePolicy.SUPERSEDE)
        assert (await place.get(queued)).status is D.SUPERSEDED
        await step.take()
        assert (await place.get(rolling)).status is D.SUPERSEDED
        assert (await place.get(urgent)).status is D.ROLLING_OUT

    async def test_a_superseding_one_that_is_cancelled_supersedes_nothing(self, place: Place) -> None:
        rolling = await place.queue("1.0.0")
        step = place.step()
        await step.take()
        await place.cancel(await place.queue("2.0.0", queue_policy=QueuePolicy.SUPERSEDE))
        patient = await place.queue("3.0.0")
        for node in ("a", "b"):
            await place.report(node, A.LIVE)
        await step.take()
        assert (await place.get(rolling)).status is D.SUCCEEDED
        assert (await place.get(patient)).status is D.QUEUED

    async def test_failing_beside_what_is_unfinished(self, place: Place) -> None:
        unfinished = await place.queue("1.0.0", queue_policy=QueuePolicy.FAIL)
        with pytest.raises(Refusal) as caught:
            await place.queue("2.0.0", queue_policy=QueuePolicy.FAIL)
        assert reason_of(caught) is Reason.QUEUE_BUSY
        assert unfinished in caught.value.message
