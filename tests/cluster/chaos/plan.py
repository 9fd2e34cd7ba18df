"""Which fault comes when: a schedule that a seed makes, the same whenever it is asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .damage import HIDDEN, HOW, WHAT
from .world import LEASE_S, World

BEYOND_THE_LEASE_S: Final = (LEASE_S + 1.0, LEASE_S + 3.5)
_AT_ONCE_S: Final = (0.1, 0.5)
_SHORT_S: Final = (0.5, 2.5)
_MEDIUM_S: Final = (1.0, 5.0)
SERVICES: Final = ("postgres", "minio", "etcd")


@dataclass(frozen=True, slots=True)
class Fault:
    """``target`` is a node, a link (``node1-etcd``), a service, or which objects of the store.

    What ``strength`` (0 to 1) is differs.
    """

    kind: str
    target: str
    lasts_s: float
    strength: float


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be broken that way, and for how long."""

    name: str
    targets: Sequence[str]
    lasts_s: tuple[float, float]


def kinds(world: World) -> list[Kind]:
    """Every kind of fault that this world can bear."""
    nodes = [node.name for node in world.nodes]
    members = [member.name for member in world.services.etcd.members]
    links = {service: [f"{node}-{service}" for node in nodes] for service in SERVICES}
    found = [
        Kind("node killed", nodes, _SHORT_S),
        Kind("node terminated", nodes, _SHORT_S),
        Kind("node stopped", nodes, BEYOND_THE_LEASE_S),
        Kind("node removed", nodes, _SHORT_S),
        *(Kind(f"{service} cut", links[service], BEYOND_THE_LEASE_S) for service in SERVICES),
        *(Kind(f"{service} silent", links[service], BEYOND_THE_LEASE_S) for service in SERVICES),
        *(Kind(f"{service} delayed", links[service], _MEDIUM_S) for service in SERVICES),
        Kind("etcd member killed", members, _MEDIUM_S),
        Kind("etcd leader moved", ["etcd"], _AT_ONCE_S),
        Kind("etcd wiped", ["etcd"], (0.1, 1.0)),
        Kind("minio restarted", ["minio"], _SHORT_S),
        *(Kind(f"object {how}", WHAT, _MEDIUM_S if how == HIDDEN else _AT_ONCE_S) for how in HOW),
        Kind("postgres restarted", ["postgres"], _SHORT_S),
        Kind("clock set", [world.shifted.name], _MEDIUM_S),
    ]
    if world.disk is not None:
        found.append(Kind("disk full", [world.cramped.name], _MEDIUM_S))
    return found


def plan(seed: int, known: Sequence[Kind]) -> Iterator[Fault]:
    """Faults without end, round after round of every kind in another order."""
    chance = random.Random(seed)
    while True:
        for kind in chance.sample(known, len(known)):
            target = chance.choice(kind.targets)
            yield Fault(kind.name, target, round(chance.uniform(*kind.lasts_s), 2), chance.random())
