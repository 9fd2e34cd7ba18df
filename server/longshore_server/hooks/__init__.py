"""Hooks, health checks and runtimes of the node's own configuration: what they are, and running one of them.

No SQL and no disk: ``agent`` decides when one is run and tells what came of it.
"""

from .configuration import (
    BundleTestSettings,
    CheckSettings,
    Command,
    CommandCheck,
    HookSettings,
    HttpCheck,
    ProjectHooks,
    RestartSettings,
    TcpCheck,
    hooks_of,
)
from .environment import SwitchFacts, hook_environment
from .health import until_healthy
from .output import OutputTail
from .probes import Check, probe
from .process import CommandEnd, run_command
from .runtimes import BUILT_IN_RUNTIMES, Runtimes

__all__ = [
    "BUILT_IN_RUNTIMES",
    "BundleTestSettings",
    "Check",
    "CheckSettings",
    "Command",
    "CommandCheck",
    "CommandEnd",
    "HookSettings",
    "HttpCheck",
    "OutputTail",
    "ProjectHooks",
    "RestartSettings",
    "Runtimes",
    "SwitchFacts",
    "TcpCheck",
    "hook_environment",
    "hooks_of",
    "probe",
    "run_command",
    "until_healthy",
]
