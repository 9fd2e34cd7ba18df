"""The table of what each call takes is whole, and its roles are what they say."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor

from longshore.v1 import catalog_service_pb2, cluster_service_pb2, deployment_service_pb2
from longshore_server.access import Permission
from longshore_server.access.permissions import BUILT_IN_ROLES
from longshore_server.rpc.access_rules import RULES, SKIPPING

SERVICES = [
    service
    for file in (deployment_service_pb2, catalog_service_pb2, cluster_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]


def test_every_rpc_has_its_rule() -> None:
    rpcs = {f"{service.name}/{method.name}" for service in SERVICES for method in service.methods}
    assert set(RULES) == rpcs


def test_only_the_server_s_own_description_takes_no_permission() -> None:
    assert [rpc for rpc, rule in RULES.items() if rule.permission is None] == ["ClusterService/GetServerInfo"]


def test_every_field_that_skips_a_check_needs_a_permission() -> None:
    """At any depth of a request, so that none slips in unnoticed."""
    found: set[str] = set()
    for service in SERVICES:
        for method in service.methods:
            requests = [method.input_type]
            seen = set()
            while requests:
                message = requests.pop()
                if message.full_name in seen:
                    continue
                seen.add(message.full_name)
                for field in message.fields:
                    if field.name.startswith("skip_"):
                        found.add(field.name)
                        assert message is method.input_type or message.name == "DeployHeader"
                    if field.type == FieldDescriptor.TYPE_MESSAGE:
                        requests.append(field.message_type)
    assert found == set(SKIPPING)


def test_every_call_that_pages_through_what_grows_takes_turns() -> None:
    few = {"ClusterService/ListNodes", "ClusterService/ListLocks"}
    counting = {"CatalogService/CountWorkflows"}
    paging = {
        f"{service.name}/{method.name}"
        for service in SERVICES
        for method in service.methods
        if "next_page_token" in method.output_type.fields_by_name
    }
    assert {rpc for rpc, rule in RULES.items() if rule.pages} == (paging - few) | counting


def test_every_permission_is_of_use() -> None:
    used = {rule.permission for rule in RULES.values()} | set(SKIPPING.values())
    assert set(Permission) <= used


def test_each_role_has_what_the_smaller_ones_have() -> None:
    roles = BUILT_IN_ROLES
    assert roles["viewer"] < roles["deployer"] < roles["operator"] < roles["admin"]
    assert roles["viewer"] < roles["approver"] < roles["operator"]
    assert Permission.DEPLOYMENT_PROMOTE not in roles["deployer"]
    assert Permission.DEPLOYMENT_CREATE not in roles["approver"]
