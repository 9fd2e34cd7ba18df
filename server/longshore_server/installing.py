"""What a node does that makes releases live: its agent, and what looks after the trees it has."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final

from longshore_bundles import UnpackLimits
from longshore_storage.payloads import PayloadStore

from .agent import BUILT_AT_ONCE, NodeAgent
from .disk import DataFolder, InstalledTrees
from .healing import Healers, TreeRepair
from .hooks import Runtimes
from .identity import Identity
from .metrics import Metrics
from .settings import Settings
from .stores import Stores
from .verifying import Verifying
from .wakeups import Wakeups

_POLLS_A_LOOK_FOR_DAMAGE: Final = 12


def installing(
    stack: AsyncExitStack,
    settings: Settings,
    stores: Stores,
    payloads: PayloadStore,
    healers: Healers,
    folder: DataFolder,
    wakeups: Wakeups,
    identity: Identity,
    metrics: Metrics,
    limits: UnpackLimits,
) -> list[Coroutine[Any, Any, None]]:
    """Its parts as what runs until it is cancelled; their threads end with ``stack``."""
    building = stack.enter_context(ThreadPoolExecutor(BUILT_AT_ONCE, thread_name_prefix="building"))
    comparing = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="comparing"))
    repair = TreeRepair(
        stores.catalogue,
        stores.coordination,
        healers.repair,
        InstalledTrees(folder),
        every_s=settings.poll_s * _POLLS_A_LOOK_FOR_DAMAGE,
    )
    agent = NodeAgent(
        stores.catalogue,
        payloads,
        wakeups,
        folder,
        identity,
        building,
        limits=limits,
        kept_releases=settings.node.kept_releases,
        hooks_of=settings.node.hooks_of,
        runtimes=Runtimes(settings.node.runtimes),
        bundle_tests=settings.node.bundle_tests,
        poll_s=settings.poll_s,
        on_end=metrics.activation_ended,
        on_ahead=metrics.node_is_ahead,
    )
    verifying = Verifying(
        stores.catalogue, wakeups, folder, identity, agent, comparing, poll_s=settings.poll_s
    )
    return [repair.run(), agent.run(), verifying.run()]
