"""What a history is made of: one frozen record for each thing that was asked, told or seen.

``at`` is seconds since the run began, by the recorder's clock; records stand in the order in which they were
made. Statuses are the words of the contract in lower case, versions and ids text; an empty text is "nothing".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

TERMINAL: Final = frozenset({"succeeded", "partial", "failed", "cancelled", "superseded"})
LIVE_ENDS: Final = frozenset({"succeeded", "partial"})
SETTLED: Final = frozenset({"live", "removed"})


@dataclass(frozen=True, slots=True)
class Record:
    """Anything that happened."""

    at: float

    def __str__(self) -> str:
        told = (f"{name}={value!r}" for name, value in dataclasses.asdict(self).items() if name != "at")
        return f"{self.at:.2f} s {type(self).__name__} {' '.join(told)}"


@dataclass(frozen=True, slots=True)
class Asked(Record):
    """A client made a call that changes something.

    ``content`` is the digest of the tree it sent, ``version`` the release that it named.
    """

    client: str
    call: str
    deployment_id: str
    project: str
    environment: str
    content: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledged(Record):
    """The call was answered: what it did is promised."""

    client: str
    call: str
    deployment_id: str
    version: str
    status: str


@dataclass(frozen=True, slots=True)
class Refused(Record):
    """The call raised; with an outcome that is ``unknown`` it may have happened all the same."""

    client: str
    call: str
    deployment_id: str
    reason: str
    error: str
    unknown: bool


@dataclass(frozen=True, slots=True)
class Decided(Record):
    """Somebody decided something about a node, or about which nodes a project goes to, and was answered."""

    client: str
    call: str
    target: str


@dataclass(frozen=True, slots=True)
class EventSeen(Record):
    """A follower was told an event; ``text`` is all that it says, ``to_status`` the status it brings."""

    follower: str
    node: str
    deployment_id: str
    sequence: int
    text: str
    to_status: str


@dataclass(frozen=True, slots=True)
class TreeSeen(Record):
    """A node's live link was read: the version it names, and the digest of what lies there."""

    node: str
    environment: str
    project: str
    version: str
    content: str


@dataclass(frozen=True, slots=True)
class IntentSeen(Record):
    """What a node has written down that it obeys."""

    node: str
    environment: str
    project: str
    generation: int
    version: str


@dataclass(frozen=True, slots=True)
class PlaceSeen(Record):
    """A project's live row in an environment, and the deployments that were rolling out there."""

    project: str
    environment: str
    generation: int
    deployment_id: str
    version: str
    rolling: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultSeen(Record):
    """A fault began or ended."""

    fault: str
    target: str
    phase: str


@dataclass(frozen=True, slots=True)
class ObjectHurt(Record):
    """From now on an object of the blob store may be another than was put, or gone."""

    key: str
    how: str


@dataclass(frozen=True, slots=True)
class PayloadRead(Record):
    """A release's payload was downloaded: the ``sha256`` of all that came, or why not all did."""

    node: str
    project: str
    version: str
    sha256: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Reclaimed(Record):
    """A release let go of its payload, at this moment by the database; ``needed`` is by whom it still was.

    In words; empty where nobody needed it.
    """

    project: str
    version: str
    needed: str


@dataclass(frozen=True, slots=True)
class Restored(Record):
    """A release whose payload was reclaimed has it again, from this moment on by the database."""

    project: str
    version: str


@dataclass(frozen=True, slots=True)
class TroubleSeen(Record):
    """A node ended by itself, or its log tells of a fault of its own."""

    node: str
    what: str


@dataclass(frozen=True, slots=True)
class DeploymentEnd(Record):
    """A deployment's row when all was quiet; of events up to ``compacted_through`` some may be gone."""

    deployment_id: str
    project: str
    environment: str
    status: str
    version: str
    generation: int
    last_sequence: int
    compacted_through: int = 0


@dataclass(frozen=True, slots=True)
class ReleaseEnd(Record):
    """A release's row when all was quiet; ``readable`` when its stored bytes have its sha256.

    Else ``reason`` is what its reading was refused with. It is not ``stored`` where it was reclaimed;
    ``damage`` is what is noted of its payload, ``installed_on`` names the nodes that have its tree.
    """

    project: str
    version: str
    deployment_id: str
    readable: bool
    sha256: str = ""
    stored: bool = True
    damage: str = ""
    reason: str = ""
    installed_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutEnd(Record):
    """A deployment's row after its rollout, when all was quiet; ``message`` is its last word.

    ``before`` is the version that was live when it began, ``keeps`` whether nodes were to stay as they are
    where it failed.
    """

    deployment_id: str
    project: str
    environment: str
    status: str
    version: str
    before: str
    keeps: bool
    superseded_by: str
    message: str


@dataclass(frozen=True, slots=True)
class CoveredNode(Record):
    """A node that a rollout covers and that was not removed since; a generation is 0 where none came.

    It had its turn by ``generation``, and by ``back_generation`` on the way back; ``inherited_generation`` is
    what a rollout had assigned it that this one superseded.
    """

    deployment_id: str
    node: str
    domain: str
    generation: int
    back_generation: int
    inherited_generation: int


@dataclass(frozen=True, slots=True)
class TurnEnd(Record):
    """An activation's row when all was quiet: what a node was to have by a generation, and what came of it.

    ``told`` is the status that the deployment's events have told, so how it stood when that ended; since then
    the node may have tried again. It was at work from ``began_s`` to ``ended_s`` by the database's clock, 0
    where it never began. ``message`` is why it failed.
    """

    node: str
    environment: str
    project: str
    generation: int
    deployment_id: str
    version: str
    status: str
    told: str
    tries: int
    began_s: float
    ended_s: float
    message: str = ""

    @property
    def went_well(self) -> bool:
        """Whether the node got there, and at once."""
        return self.status in SETTLED and not self.tries


@dataclass(frozen=True, slots=True)
class NodeEnd(Record):
    """What a node had live of a project, and should have, when all was quiet or ``waited_s`` were over.

    Where that is not what is live, ``kept_by`` is the last rollout that touched the node.
    """

    node: str
    environment: str
    project: str
    has: str
    should: str
    waited_s: float
    kept_by: str = ""


@dataclass(frozen=True, slots=True)
class LeftBehind(Record):
    """Something that nothing needs any more was found when all was quiet."""

    where: str
    what: str


_Kind = TypeVar("_Kind", bound=Record)


def only(history: Iterable[Record], kind: type[_Kind]) -> list[_Kind]:
    """The records of one kind, in order."""
    return [record for record in history if isinstance(record, kind)]
