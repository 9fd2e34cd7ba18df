"""Generating steps. Numbers choose among what there is when the step is taken, so none is ever wrong."""

from __future__ import annotations

from itertools import chain

from hypothesis import strategies as st

from .disasters import AtOnce, Backup, Damage, Hurt, Land, Lost, Rebuild, Restore, Wait
from .faults import Call, Fault, Way
from .tending import Collect, Compact, Delete, Read, Repair, Scrub
from .uploading import Content, Send, Stop
from .world import Step

# From lists: of integers hypothesis tries those that stand in the code, which differ from run to run.
_numbers = st.sampled_from(range(8))
_nodes = st.sampled_from(range(2))
_shares = st.sampled_from([1.0, 0.5, 0.0, 0.25, 0.6, 0.99])

_faults = st.one_of(
    st.none(),
    st.builds(Fault, st.sampled_from(Way), st.sampled_from(range(1, 9)), st.sampled_from(Call)),
    st.builds(Fault, st.sampled_from(Way), st.sampled_from(range(1, 81))),
)
_contents = st.builds(
    Content,
    blocks=st.lists(st.sampled_from(range(5)), min_size=1, max_size=4).map(tuple),
    project=st.sampled_from(["netops", "netops", "other"]),
    thrifty=st.booleans(),
    declared=st.booleans(),
)
_waits = st.builds(Wait, st.sampled_from([0.02, 1.5, 13.0, 25.0]))
_collects = st.builds(
    Collect,
    keep_releases=st.sampled_from([None, None, 1, 2]),
    now=st.sampled_from([False, False, False, True]),
    listed_share=st.sampled_from([1.0, 1.0, 0.2]),
    rehearsed=st.booleans(),
    on=_nodes,
    fault=_faults,
)
_compacts = st.builds(Compact, on=_nodes, fault=_faults)
_deletes = st.builds(Delete, which=_numbers, on=_nodes, fault=_faults)
_scrubs = st.builds(Scrub, resume=st.booleans(), on=_nodes, fault=_faults)
_repairs = st.builds(Repair, which=_numbers, lies=st.booleans(), on=_nodes, fault=_faults)
_damages = st.builds(Damage, which=_numbers, how=st.sampled_from(Hurt), at=_shares)


def _sends(meanwhile: st.SearchStrategy[Step] | None = None) -> st.SearchStrategy[Step]:
    return st.builds(
        Send,
        what=st.one_of(_contents, _numbers),
        stop=st.one_of(st.just(Stop.RECORDED), st.sampled_from(Stop)),
        at=_shares,
        on=_nodes,
        asks_on=_nodes,
        as_another=st.booleans(),
        remembers=st.booleans(),
        again=st.booleans(),
        meanwhile=_few(meanwhile),
        fault=_faults,
    )


def _reads(meanwhile: st.SearchStrategy[Step] | None = None) -> st.SearchStrategy[Step]:
    return st.builds(Read, which=_numbers, at=_shares, on=_nodes, meanwhile=_few(meanwhile), fault=_faults)


def _few(steps: st.SearchStrategy[Step] | None) -> st.SearchStrategy[tuple[Step, ...]]:
    return st.just(()) if steps is None else st.lists(steps, max_size=3).map(tuple)


_simple: st.SearchStrategy[Step] = st.one_of(
    _sends(), _reads(), _collects, _compacts, _deletes, _scrubs, _repairs, _damages, _waits
)
_working: st.SearchStrategy[Step] = st.one_of(
    _sends(), _reads(), _collects, _compacts, _deletes, _scrubs, _repairs
)
KINDS: dict[str, st.SearchStrategy[Step]] = {
    "send": _sends(),
    "send meanwhile": _sends(_simple),
    "read": _reads(_simple),
    "delete": _deletes,
    "collect": _collects,
    "compact": _compacts,
    "wait": _waits,
    "land": st.builds(Land),
    "damage": _damages,
    "scrub": _scrubs,
    "repair": _repairs,
    "rebuild": st.builds(Rebuild, lost=st.sampled_from(Lost), on=_nodes, fault=_faults),
    "backup": st.builds(Backup),
    "restore": st.builds(Restore),
    "at once": st.builds(AtOnce, _working, _working),
}


@st.composite
def step_lists(draw: st.DrawFn) -> list[Step]:
    """Some tens of steps, of some kinds only: what never happens lets what does happen more often."""
    chosen = draw(st.sets(st.sampled_from(sorted(set(KINDS) - {"send"}))))
    steps = st.one_of(KINDS["send"], *(KINDS[kind] for kind in sorted(chosen)))
    # Lists in a list, for hypothesis makes long lists rarely.
    return list(
        chain.from_iterable(draw(st.lists(st.lists(steps, min_size=1, max_size=12), min_size=1, max_size=8)))
    )
