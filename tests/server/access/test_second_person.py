"""Where a second person has to promote, nobody brings live alone what he deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import update

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import tables
from longshore_storage.catalogue.audit_trail import list_audit
from tests.server.calls import deploy, new_id, refused, status_name, until
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import StartNode, Stubs, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
PLACE: dict[str, Any] = {"project": "netops", "environment": "default"}


async def test_nothing_goes_live_by_one_person(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(policy_file, {"role": "operator", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        first = await deploy(alice, canonical_tar(small_tree()))
        await until(alice, first.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")
        await _require_second_person(alice)
        staged = await deploy(alice, canonical_tar(small_tree("two")))
        assert status_name(staged.status) == "STAGED"
        asked = pb.PromoteDeploymentRequest(
            deployment_id=staged.deployment_id, gate_id=staged.waiting_gate_id
        )
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED") as told:
            await alice.deployments.PromoteDeployment(asked)
        assert "alice deployed this" in told.message
        async with node.catalogue.reading() as transaction:
            (denied, *_) = await list_audit(transaction, principal="alice", limit=1)
        assert (denied.action, denied.result, denied.reason) == (
            "access.denied",
            "DENIED",
            "SECOND_PERSON_REQUIRED",
        )
        assert (denied.project, denied.environment) == ("netops", "default")
        released = await alice.deployments.DeployRelease(
            pb.DeployReleaseRequest(deployment_id=new_id(), version=staged.version, **PLACE)
        )
        assert status_name(released.deployment.status) == "STAGED"

        await bob.deployments.PromoteDeployment(asked)
        await until(bob, staged.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")
        # Back it goes without asking anybody.
        back = await alice.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), **PLACE))
        await until(alice, back.deployment.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")


async def test_there_is_no_way_back_to_what_was_never_live(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    """Or a rollback to a version that waits for a second person would make it live by one."""
    write_policy(policy_file, {"role": "operator", "principals": ["alice", "bob"]})
    async with start_node(access=access) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        first = await deploy(alice, canonical_tar(small_tree()))
        await until(alice, first.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")
        await _require_second_person(alice)
        staged = await deploy(alice, canonical_tar(small_tree("two")))
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED") as told:
            await alice.deployments.Rollback(
                pb.RollbackRequest(deployment_id=new_id(), version=staged.version, **PLACE)
            )
        assert "was never live in default" in told.message
        await alice.deployments.CancelDeployment(
            pb.CancelDeploymentRequest(deployment_id=staged.deployment_id, reason="")
        )
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED"):
            await alice.deployments.Rollback(
                pb.RollbackRequest(deployment_id=new_id(), target_deployment_id=staged.deployment_id, **PLACE)
            )
        retried = await alice.deployments.RetryDeployment(
            pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=staged.deployment_id)
        )
        assert status_name(retried.deployment.status) == "STAGED"
        # What was live once by two may come back by one.
        await bob.deployments.PromoteDeployment(
            pb.PromoteDeploymentRequest(
                deployment_id=retried.deployment.deployment_id, gate_id=retried.deployment.waiting_gate_id
            )
        )
        await until(bob, retried.deployment.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")
        for version in first.version, staged.version:
            back = await alice.deployments.Rollback(
                pb.RollbackRequest(deployment_id=new_id(), version=version, **PLACE)
            )
            await until(
                alice, back.deployment.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED"
            )


async def test_of_a_whole_environment(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    """Also of what was not there when it was set, and whatever a project's own setting says."""
    write_policy(
        policy_file,
        {"role": "operator", "principals": ["alice", "bob"]},
        {"role": "operator", "principals": ["carol"], "projects": ["net*"]},
    )
    async with start_node(access=access) as node:
        alice, bob, carol = (as_caller(node, issuer.token(name)) for name in ("alice", "bob", "carol"))
        assert not (await _environment(carol)).second_person
        with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
            await _require_in(carol, True)
        assert (await _require_in(alice, True)).second_person
        assert (await _environment(carol)).second_person

        staged = await deploy(carol, canonical_tar(small_tree()))
        assert status_name(staged.status) == "STAGED"
        asked = pb.PromoteDeploymentRequest(
            deployment_id=staged.deployment_id, gate_id=staged.waiting_gate_id
        )
        place = await _set_second_person(carol, False)
        assert (place.second_person, place.environment_second_person) == (False, True)
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED"):
            await carol.deployments.PromoteDeployment(asked)
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED"):
            await carol.deployments.Rollback(
                pb.RollbackRequest(deployment_id=new_id(), version=staged.version, **PLACE)
            )
        await bob.deployments.PromoteDeployment(asked)
        await until(bob, staged.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")

        assert not (await _require_in(alice, False)).second_person
        second = await deploy(carol, canonical_tar(small_tree("two")))
        await until(carol, second.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")


async def test_what_is_set_for_environments(start_node: StartNode) -> None:
    async with start_node() as node:
        for name, status, reason in (
            ("prodction", S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"),
            ("No Name", S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ):
            with refused(status, reason):
                await _require_in(node, True, name)
            with refused(status, reason):
                await _environment(node, name)
        for paths in ([], ["environment"]):
            with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
                await node.catalog.UpdateEnvironment(
                    catalog.UpdateEnvironmentRequest(update_mask=FieldMask(paths=paths))
                )
            assert "update_mask" in told.message


async def _environment(caller: Stubs, name: str = "") -> catalog.Environment:
    answer = await caller.catalog.GetEnvironment(catalog.GetEnvironmentRequest(environment=name))
    return answer.environment


async def _require_in(caller: Stubs, required: bool, name: str = "default") -> catalog.Environment:
    answer = await caller.catalog.UpdateEnvironment(
        catalog.UpdateEnvironmentRequest(
            environment=catalog.Environment(environment=name, second_person=required),
            update_mask=FieldMask(paths=["second_person"]),
        )
    )
    return answer.environment


async def test_who_tries_again_alone_what_takes_two_is_told_of(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(policy_file, {"role": "operator", "principals": ["alice"]})
    async with start_node(access=access) as node:
        alice = as_caller(node, issuer.token("alice"))
        first = await deploy(alice, canonical_tar(small_tree()))
        await until(alice, first.deployment_id, lambda one: status_name(one.status) == "SUCCEEDED")
        await _require_second_person(alice)
        staged = await deploy(alice, canonical_tar(small_tree("two")))
        await alice.deployments.CancelDeployment(
            pb.CancelDeploymentRequest(deployment_id=staged.deployment_id)
        )
        async with node.catalogue.transaction() as transaction:
            await transaction.execute(
                update(tables.deployment)
                .where(tables.deployment.c.id == staged.deployment_id)
                .values(kind="ROLLBACK")
            )
        again = pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=staged.deployment_id)
        with refused(S.PERMISSION_DENIED, "SECOND_PERSON_REQUIRED"):
            await alice.deployments.RetryDeployment(again)
        async with node.catalogue.reading() as transaction:
            (denied, *_) = await list_audit(transaction, principal="alice", limit=1)
        assert (denied.action, denied.reason) == ("access.denied", "SECOND_PERSON_REQUIRED")
        assert (denied.project, denied.environment) == ("netops", "default")


async def _require_second_person(caller: Stubs) -> None:
    await _set_second_person(caller, True)


async def _set_second_person(caller: Stubs, required: bool) -> catalog.ProjectEnvironment:
    answer = await caller.catalog.UpdateProjectEnvironment(
        catalog.UpdateProjectEnvironmentRequest(
            project_environment=catalog.ProjectEnvironment(**PLACE, second_person=required),
            update_mask=FieldMask(paths=["second_person"]),
        )
    )
    return answer.project_environment
