"""Installed trees as seeds: an upgrade fetches what changed, and no state of a seed gets into a new tree."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore_bundles import PayloadFormat
from longshore_server.disk import InstalledTree
from tests.bundles.trees import Directory, File, Link, Node, Tree

from .builds import PROJECT, Builds, builds
from .calls import sha256_of
from .contents import canonical_tar, installed, large_tree, with_a_change
from .disk.places import removable

KIB = 1024


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Builds]:
    async with builds(tmp_path) as node:
        yield node
    removable(tmp_path)


def of_payload(tree: Tree) -> int:
    return len(canonical_tar(tree))


async def test_an_upgrade_fetches_what_changed(node: Builds) -> None:
    old = large_tree()
    new = with_a_change(old)
    await node.install(old, "1.0.0")
    node.blobs.got.clear()
    built = await node.build(await node.store_tree(new, "1.0.1"))
    assert installed(built.tree.path) == new
    assert node.trees.check(built.tree)
    assert built.installed_bytes == of_payload(new)
    assert built.fetched_bytes == sum(length for _, _, length in node.blobs.got)
    # Two changes, with up to two chunks of 16 KiB at each; and the manifest.
    manifest = sum(length for key, _, length in node.blobs.got if key.startswith("manifests/"))
    assert 0 < built.fetched_bytes - manifest < 100 * KIB
    assert of_payload(new) - 100 * KIB < built.reused_bytes < of_payload(new)


async def test_what_is_unchanged_is_not_fetched_at_all(node: Builds) -> None:
    tree = large_tree()
    first = await node.install(tree, "1.0.0")
    node.blobs.got.clear()
    built = await node.build(await node.store_tree(tree, "2.0.0"))
    assert built.reused_bytes == of_payload(tree)
    assert {key.partition("/")[0] for key, _, _ in node.blobs.got} == {"manifests"}
    # And the tree that was built of nothing but its seed is one in its turn.
    node.trees.prune(PROJECT, keep=0, live=built.tree.path)
    assert not first.chunk_list_path.exists() or first.path.exists()
    again = await node.build(await node.store_tree(with_a_change(tree), "3.0.0"))
    assert again.reused_bytes > of_payload(tree) - 100 * KIB


async def test_a_single_file_is_a_seed(node: Builds) -> None:
    old = random.Random(1).randbytes(600 * KIB)
    new = old[: 300 * KIB] + b"put in" + old[300 * KIB :]
    first = await node.build(await node.store(old, "1.0.0", form=PayloadFormat.FILE))
    second = await node.build(await node.store(new, "1.0.1", form=PayloadFormat.FILE))
    assert (first.reused_bytes, (second.tree.path / "file").read_bytes()) == (0, new)
    assert second.reused_bytes > len(new) - 40 * KIB


async def test_both_of_two_releases_are_seeds(node: Builds) -> None:
    live: Tree = {"live": File(random.Random(1).randbytes(200 * KIB))}
    tried: Tree = {"tried": File(random.Random(2).randbytes(200 * KIB))}
    await node.install(live, "1.0.0")
    await node.build(await node.store_tree(tried, "1.0.1"))
    built = await node.build(await node.store_tree({**live, **tried}, "1.0.2"))
    assert built.reused_bytes > 380 * KIB


async def test_an_archive_of_somebody_else_makes_no_seed(node: Builds) -> None:
    """What does not give back its payload's bytes has no list, and is built all the same."""
    tree: Tree = {"file": File(random.Random(1).randbytes(100 * KIB))}
    payload = canonical_tar(tree)
    trailing = payload + bytes(10240)
    release = await node.store(trailing, "1.0.0", content_sha256=sha256_of(payload))
    built = await node.build(release)
    assert not built.tree.is_canonical
    assert not built.tree.chunk_list_path.exists()
    assert node.trees.seeds(PROJECT) == []


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


# What may have become of a file of a seed.
HARMS: dict[str, Callable[[Path], object]] = {
    "a bit flipped": flip,
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(b"x" + path.read_bytes()),
    "gone": lambda path: path.unlink(),
    "executable": lambda path: path.chmod(0o777),
    "a link to what never ends": _link,
    "a pipe that nobody writes": _pipe,
    "a folder": _folder,
}


# And of what stands beside it, which the node believes to be files.
_HARMS_BESIDE = ["a bit flipped", "cut short", "emptied", "longer", "gone"]


def harm(tree: InstalledTree, harms: list[tuple[int, str]]) -> None:
    """Do each of ``harms`` to one of the seed's files, the ones beside it included."""
    removable(tree.path)
    for number, name in harms:
        places = sorted(path for path in tree.path.rglob("*") if path.is_file() and not path.is_symlink())
        # What is damaged beside hides all that is in the tree, so it is not damaged too often.
        if name in _HARMS_BESIDE and number % 4 == 0:
            places += [path for path in (tree.record_path, tree.chunk_list_path) if path.is_file()]
        if not places:
            continue
        place = places[number % len(places)]
        place.chmod(0o644)
        HARMS[name](place)


@pytest.mark.parametrize("name", HARMS)
async def test_a_file_that_was_harmed_is_fetched(node: Builds, name: str) -> None:
    tree: Tree = {
        "a": File(random.Random(1).randbytes(60 * KIB)),
        "b/harmed": File(random.Random(2).randbytes(60 * KIB)),
        "c": File(random.Random(3).randbytes(60 * KIB)),
    }
    seed = await node.install(tree, "1.0.0")
    removable(seed.path)
    (seed.path / "b/harmed").chmod(0o644)
    HARMS[name](seed.path / "b/harmed")
    built = await node.build(await node.store_tree(tree, "2.0.0"))
    assert installed(built.tree.path) == tree
    # Modes stand in the record; half of the file, or the chunk with the bit, is fetched.
    fetched = of_payload(tree) - built.reused_bytes
    assert (fetched == 0) is (name == "executable")
    assert fetched < 95 * KIB


_CONTENTS = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size),
    st.integers(0, 5),
    st.sampled_from([40_000, 5_000, 90_000, 513, 512, 511, 1, 0]),
)
_NODES: st.SearchStrategy[Node] = st.one_of(
    st.builds(File, _CONTENTS, st.booleans()),
    st.builds(Link, st.sampled_from(["f0", "d/f1"])),
    st.just(Directory()),
)
_PATHS = st.sampled_from(["f0", "f1", "a-b", "d/f1", "d/f2", "d.x", "e/e/f", "é/" + "ü" * 60, "x" * 101])
_TREES = st.dictionaries(_PATHS, _NODES, min_size=1, max_size=7)
_CHANGES = st.dictionaries(_PATHS, _NODES, max_size=2)
_HARMS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([*HARMS, "a bit flipped"])), max_size=3)


@given(old=_TREES, changes=_CHANGES, harms=_HARMS, is_gone=st.sampled_from([False] * 9 + [True]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_became_of_the_seed_the_tree_is_the_release(
    node: Builds, old: Tree, changes: Tree, harms: list[tuple[int, str]], is_gone: bool
) -> None:
    new = {**old, **changes}
    seed = await node.install(old, "1.0.0")
    if is_gone:
        removable(seed.path)
        shutil.rmtree(seed.path)
    else:
        harm(seed, harms)
    built = await node.build(await node.store_tree(new, "2.0.0"))
    # Whether empty folders are there is seen by the builder, in the content's checksum.
    found = installed(built.tree.path)
    expected = {path: entry for path, entry in new.items() if not isinstance(entry, Directory)}
    # Not compared as a whole: pytest would take minutes to show the difference.
    assert [path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)] == []
    assert node.trees.check(built.tree)
    assert built.installed_bytes == of_payload(new)
    assert built.reused_bytes <= of_payload(new)
    if not harms and not is_gone and old == new:
        assert built.reused_bytes == of_payload(new)
    _clear(node)


def _clear(node: Builds) -> None:
    """An empty disk for the next example."""
    for path in node.folder.installed.iterdir():
        if path.is_dir():
            removable(path)
            shutil.rmtree(path)
        else:
            path.unlink()
