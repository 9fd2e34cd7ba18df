"""What may be allowed, and the roles that are there without being written down."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """One thing that a caller may do with a project in an environment, or with a cluster."""

    DEPLOYMENT_READ = "deployment.read"
    DEPLOYMENT_CREATE = "deployment.create"
    DEPLOYMENT_ROLLBACK = "deployment.rollback"
    DEPLOYMENT_CANCEL = "deployment.cancel"
    DEPLOYMENT_PAUSE = "deployment.pause"
    DEPLOYMENT_PROMOTE = "deployment.promote"
    DEPLOYMENT_UNDEPLOY = "deployment.undeploy"
    PAYLOAD_READ = "payload.read"
    PAYLOAD_DELETE = "payload.delete"
    VALIDATION_SKIP = "validation.skip"
    DEPENDENCIES_SKIP = "dependencies.skip"
    TESTS_SKIP = "tests.skip"
    AUDIT_READ = "audit.read"
    PROJECT_CONFIGURE = "project.configure"
    CLUSTER_READ = "cluster.read"
    CLUSTER_ADMIN = "cluster.admin"


_P = Permission
_VIEWER = frozenset({_P.DEPLOYMENT_READ, _P.CLUSTER_READ})
_DEPLOYER = _VIEWER | {
    _P.DEPLOYMENT_CREATE,
    _P.DEPLOYMENT_ROLLBACK,
    _P.DEPLOYMENT_CANCEL,
    _P.DEPLOYMENT_PAUSE,
    _P.PAYLOAD_READ,
}
_APPROVER = _VIEWER | {_P.DEPLOYMENT_PROMOTE, _P.DEPLOYMENT_CANCEL, _P.DEPLOYMENT_PAUSE, _P.AUDIT_READ}
_OPERATOR = (
    _DEPLOYER
    | _APPROVER
    | {
        _P.DEPLOYMENT_UNDEPLOY,
        _P.PROJECT_CONFIGURE,
        _P.DEPENDENCIES_SKIP,
        _P.TESTS_SKIP,
        _P.CLUSTER_ADMIN,
    }
)

BUILT_IN_ROLES: Final[Mapping[str, frozenset[Permission]]] = MappingProxyType(
    {
        "viewer": _VIEWER,
        "deployer": _DEPLOYER,
        "approver": _APPROVER,
        "operator": _OPERATOR,
        "admin": frozenset(_P),
    }
)
