"""Putting entries into an index, merging indexes, holding packs against one, and searching."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import Finding, FindingLog, Severity, order_key
from longshore_bundles.registry import (
    Index,
    IndexedPack,
    index_text,
    merge_indexes,
    search_index,
    update_index,
    verify_packs,
    verify_sources,
)

from .indexes import checksum, document, pack, read

LATER = "2026-11-22T00:00:00Z"
SOURCE = {"type": "archive", "url": "https://packs.example.org/a.tar"}


def entry(*args: Any, **more: Any) -> IndexedPack:
    return read(document(pack(*args, **more))).packs[0]


def updated(index: Index, new: IndexedPack, *, replace: bool = False) -> Index | list[Finding]:
    log = FindingLog()
    changed = update_index(index, new, log, replace=replace, last_updated=LATER, path="index.json")
    assert (changed is None) == log.has_errors
    return list(log.findings()) if changed is None else changed


def versions(index: Index | list[Finding], ref: str = "netops") -> list[str]:
    assert isinstance(index, Index), index
    found = index.pack(ref)
    return [each.version for each in found.releases] if found else []


def test_new_packs_and_versions_are_put_in_beside_the_others() -> None:
    index = read(document(pack("zone"), note="kept"))
    with_pack = updated(index, entry("netops", "1.9.0", install_sources=[SOURCE]))
    assert isinstance(with_pack, Index)
    assert [each.ref for each in with_pack.packs] == ["netops", "zone"]
    assert (with_pack.last_updated, with_pack.more) == (LATER, {"note": "kept"})
    with_version = updated(with_pack, entry("netops", "1.10.0", "b", label="New"))
    assert versions(with_version) == ["1.10.0", "1.9.0"]
    assert isinstance(with_version, Index)
    described = with_version.packs[0]
    assert (described.label, described.highest.install_sources) == ("New", ())
    assert described.releases[1].install_sources[0].url == SOURCE["url"]
    with_older = updated(with_version, entry("netops", "0.1.0", "c", label="Old"))
    assert versions(with_older) == ["1.10.0", "1.9.0", "0.1.0"]
    assert isinstance(with_older, Index)
    assert with_older.packs[0].label == "New"


@pytest.mark.parametrize("digit", ["a", "b"])
def test_a_version_that_is_there_is_replaced_only_when_told(digit: str) -> None:
    published = {"version": "1.4.0", "checksum": checksum("a"), "published_at": "2026-01-01T00:00:00Z"}
    index = read(document(pack(releases=[published], install_sources=[SOURCE], stars=5)))
    new = entry(digit=digit, label="New")
    (told,) = updated(index, new)  # type: ignore[misc]
    assert isinstance(told, Finding)
    assert (told.code, told.severity, told.path) == ("VERSION_EXISTS", Severity.ERROR, "index.json")
    assert "'netops' 1.4.0 already: replace it with --update" in told.message
    replaced = updated(index, new, replace=True)
    assert isinstance(replaced, Index)
    (only,) = replaced.packs
    assert (only.label, only.more) == ("New", {"stars": 5})
    # Where another content was fetched from, and when it was published, says nothing about this one.
    same = digit == "a"
    assert only.highest.checksum == checksum(digit)
    assert bool(only.highest.install_sources) == same
    assert bool(only.highest.published_at) == same


def test_a_version_in_another_case_is_the_same_version() -> None:
    index = read(document(pack(version="2.0.0-RC.1")))
    assert isinstance(updated(index, entry(version="2.0.0-rc.1")), list)
    assert versions(updated(index, entry(version="2.0.0-rc.1"), replace=True)) == ["2.0.0-rc.1"]


def merged(*indexes: dict[str, Any], name: str | None = None) -> Index | list[Finding]:
    log = FindingLog()
    named = [(f"{number}.json", read(each)) for number, each in enumerate(indexes)]
    found = merge_indexes(named, log, registry_name=name, last_updated=LATER)
    assert (found is None) == log.has_errors
    return list(log.findings()) if found is None else found


def test_merging_keeps_all_versions_and_the_highest_describes() -> None:
    one = document(pack("netops", "1.9.0", label="Old", one=1), pack("dns"), note="a")
    two = document(pack("netops", "1.10.0", "b", label="New", two=2), pack("zone"), note="b", more="b")
    found = merged(one, two)
    assert isinstance(found, Index)
    assert [each.ref for each in found.packs] == ["dns", "netops", "zone"]
    netops = found.packs[1]
    assert (netops.label, netops.more, found.more) == (
        "New",
        {"one": 1, "two": 2},
        {"note": "a", "more": "b"},
    )
    assert versions(found) == versions(merged(two, one)) == ["1.10.0", "1.9.0"]
    named = merged(one, two, name="all")
    assert isinstance(named, Index)
    assert (found.registry_name, named.registry_name, named.last_updated) == ("ops", "all", LATER)


def test_merging_joins_what_two_indexes_know_of_one_version() -> None:
    early, late = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    other = {"type": "git", "url": "https://git.example.org/a", "ref": "v1"}

    def one(sources: list[dict[str, str]], published: str) -> dict[str, Any]:
        release = {"version": "1.4.0", "checksum": checksum("a"), "published_at": published}
        return document(pack(install_sources=sources, releases=[release]))

    found = merged(one([SOURCE], late), one([SOURCE, other], early))
    assert isinstance(found, Index)
    release = found.packs[0].highest
    assert [each.type for each in release.install_sources] == ["archive", "git"]
    assert release.published_at == early


def test_one_version_with_two_checksums_is_not_merged() -> None:
    told = merged(document(pack()), document(pack("dns")), document(pack(digit="b"), pack("dns", digit="c")))
    assert isinstance(told, list)
    assert [(each.code, each.path) for each in told] == [("CHECKSUM_CONFLICT", "2.json")] * 2
    assert f"'netops' 1.4.0 is {checksum('b')} here, but {checksum('a')} in 0.json" in told[1].message
    assert "in 1.json" in told[0].message


_versions = st.from_regex(r"\A[0-3]\.[0-3]\.0(-rc\.[0-3])?\Z")
_packs = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sets(_versions, min_size=1, max_size=4))


def _document(packs: dict[str, set[str]]) -> dict[str, Any]:
    return document(
        *(
            pack(
                ref,
                max(found, key=order_key),
                releases=[{"version": each, "checksum": checksum("a")} for each in sorted(found)],
            )
            for ref, found in packs.items()
        )
    )


@settings(deadline=None, max_examples=30)
@given(_packs, _packs, _packs)
def test_merging_is_the_union_however_it_is_grouped(
    one: dict[str, set[str]], two: dict[str, set[str]], three: dict[str, set[str]]
) -> None:
    whole = merged(_document(one), _document(two), _document(three))
    first = merged(_document(one), _document(two))
    assert isinstance(whole, Index)
    assert isinstance(first, Index)
    grouped = merged(json.loads(index_text(first)), _document(three))
    assert isinstance(grouped, Index)
    assert index_text(grouped) == index_text(whole)
    for ref in "abc":
        wanted = one.get(ref, set()) | two.get(ref, set()) | three.get(ref, set())
        assert versions(whole, ref) == sorted(wanted, key=order_key, reverse=True)
    assert read(json.loads(index_text(whole))) == whole


def verified(index: Index, **packs: IndexedPack) -> list[tuple[str, str, str]]:
    log = FindingLog()
    verify_packs(index, list(packs.items()), log)
    return [(each.code, each.severity.value, each.path) for each in log.findings()]


def test_packs_are_held_against_an_index() -> None:
    older = {"version": "1.3.0", "checksum": checksum("c")}
    index = read(document(pack(releases=[*pack()["releases"], older])))
    assert verified(index, it=entry(), older=entry(version="1.3.0", digit="c", label="Once")) == []
    assert verified(index, it=entry(digit="b")) == [("CHECKSUM_MISMATCH", "error", "it")]
    assert verified(index, it=entry(version="2.0.0")) == [("VERSION_NOT_INDEXED", "error", "it")]
    assert verified(index, it=entry("dns")) == [("PACK_NOT_INDEXED", "error", "it")]
    assert verified(index, it=entry(label="Other", keywords=["x"])) == [("ENTRY_DIFFERS", "warning", "it")]
    assert verified(index, one=entry("dns"), two=entry("zone"))[1] == ("PACK_NOT_INDEXED", "error", "two")


def test_versions_that_nobody_can_fetch_are_warned_about() -> None:
    log = FindingLog()
    verify_sources(read(document(pack(), pack("dns", install_sources=[SOURCE]))), log, path="index.json")
    (told,) = log.findings()
    assert (told.code, told.severity) == ("INSTALL_SOURCE_MISSING", Severity.WARNING)
    assert told.message == "'netops' 1.4.0 has no install source, so nobody can fetch it"


def test_searching() -> None:
    index = read(
        document(
            pack("dns", keywords=["Names"], author="Zoë"),
            pack("netops", contents={"actions": [{"name": "flush_dns"}]}),
            pack("resolver", description="Asks DNS servers"),
            pack("other"),
        )
    )

    def found(*words: str) -> list[str]:
        return [each.ref for each in search_index(index, words)]

    assert found("dns") == ["dns", "resolver", "netops"]
    assert found("DNS", "what") == ["dns", "netops"]
    assert found("zoë") == ["dns"]
    assert found("names") == ["dns"]
    assert found("dns", "nothing") == []
    assert found() == ["dns", "netops", "other", "resolver"]
    assert found("'; DROP", "-x", "..") == []
