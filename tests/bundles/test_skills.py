"""Skills: front matter and scripts, right and wrong."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import FindingLog
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.skills import SkillManifest, read_skill

SCRIPT = BundleFile(executable=True)


def read(
    skill_md: bytes, execute: BundleFile | None = SCRIPT, test: BundleFile | None = SCRIPT
) -> tuple[SkillManifest, list[tuple[str, str, int | None]]]:
    files = BundleFiles()
    files.add("SKILL.md", BundleFile(skill_md))
    for name, script in (("execute.sh", execute), ("test.sh", test)):
        if script is not None:
            files.add(name, script)
    log = FindingLog()
    manifest = read_skill(files, log)
    return manifest, [(each.code, each.severity.value, each.line) for each in log.findings()]


def front(text: str) -> bytes:
    return f"---\n{text}\n---\n\n# The rest\n\n---\nname: not this\n".encode()


def test_all_of_the_front_matter() -> None:
    manifest, findings = read(
        front("name: Log_Rotate\nversion: 1.2.0\ndescription: Rotates\nauthor: Ops\ntags: [a, b]")
    )
    assert findings == []
    assert manifest == SkillManifest(
        ("SKILL.md",), "Log_Rotate", "log_rotate", "1.2.0", "Rotates", "Ops", ("a", "b")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"---\r\nname: a\r\ndescription: x\r\n---\r\n",
        b"\xef\xbb\xbf---\nname: a\ndescription: x\n---",
        b"---  \nname: a\ndescription: x\n...\n",
        b"---\nname: a\ndescription: x\n---\n\xff\xfe what follows is not looked at",
    ],
)
def test_line_ends_marks_and_what_follows_do_not_matter(data: bytes) -> None:
    manifest, findings = read(data)
    assert findings == []
    assert (manifest.name, manifest.description) == ("a", "x")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", ("FRONT_MATTER_MISSING", "error", 1)),
        (b"# A skill\n", ("FRONT_MATTER_MISSING", "error", 1)),
        (b"\n---\nname: a\n---\n", ("FRONT_MATTER_MISSING", "error", 1)),
        (b"---\nname: a\n", ("FRONT_MATTER_MISSING", "error", 1)),
        ("---\nname: a\n---\n".encode("utf-16"), ("FRONT_MATTER_MISSING", "error", 1)),
        (b"---\n---\n", ("DOCUMENT_EMPTY", "error", None)),
        (b"---\n- name\n---\n", ("WRONG_TYPE", "error", 2)),
        (b"---\nname: a\ndescription: x\n\tversion: 1.0.0\n---\n", ("YAML_INVALID", "error", 4)),
        (b"---\nname: a\ndescription: \xff\n---\n", ("DOCUMENT_NOT_UTF8", "error", 3)),
        (b"---\nname: a\n---\n" + b" " * 2**20, ("DOCUMENT_TOO_LARGE", "error", None)),
        (b"---\ndescription: x\n---\n", ("KEY_MISSING", "error", 2)),
        (b"---\nname: a\n---\n", ("DESCRIPTION_MISSING", "warning", 2)),
        (b"---\nname: a\ndescription: x\ndescription: y\n---\n", ("KEY_DUPLICATE", "error", 4)),
        (b"---\nname: a\ndescription: x\nlicence: MIT\n---\n", ("UNKNOWN_KEY", "warning", 4)),
        (b"---\nname: a\ndescription: x\nversion: 1.2\n---\n", ("WRONG_TYPE", "error", 4)),
        (b"---\nname: a\ndescription: x\nversion: v1.2.0\n---\n", ("INVALID_VERSION_FORMAT", "error", 4)),
        (b"---\nname: a\ndescription: x\ntags: ops\n---\n", ("WRONG_TYPE", "error", 4)),
        (b"---\nname: 7\ndescription: x\n---\n", ("WRONG_TYPE", "error", 2)),
        (b"---\nname: _a\ndescription: x\n---\n", ("INVALID_NAME_FORMAT", "warning", 2)),
    ],
)
def test_what_is_wrong_is_one_finding(data: bytes, finding: tuple[str, str, int | None]) -> None:
    assert read(data)[1] == [finding]


@pytest.mark.parametrize(
    "name", ["a b", "../up", "/etc", "a/b", ".", "é", "a.b", "n" * 101, "", "--force\u200b", "a\\nb", "@x/y"]
)
def test_names_that_no_skill_has(name: str) -> None:
    manifest, findings = read(front(f'name: "{name}"\ndescription: x'))
    assert findings == [("INVALID_NAME_FORMAT", "error", 2)]
    assert manifest.project == ""


def test_a_name_like_an_option_makes_no_project() -> None:
    manifest, findings = read(front("name: --force\ndescription: x"))
    assert findings == [("INVALID_NAME_FORMAT", "warning", 2)]
    assert (manifest.name, manifest.project) == ("--force", "")


def test_scripts_must_be_there_and_executable() -> None:
    good = front("name: a\ndescription: x")
    assert read(good, None)[1] == [("REQUIRED_FILE_MISSING", "error", None)]
    assert read(good, BundleFile())[1] == [("EXECUTE_SCRIPT_NOT_EXECUTABLE", "error", None)]
    assert read(good, test=None)[1] == [("TESTS_NOT_FOUND", "warning", None)]
    assert read(good, test=BundleFile())[1] == [("TEST_SCRIPT_NOT_EXECUTABLE", "warning", None)]


def test_everything_is_told_at_once() -> None:
    codes = [code for code, *_ in read(front("name: a b\nversion: x\ntags: {}\nwhat: 1"), None, None)[1]]
    assert codes == [
        *("REQUIRED_FILE_MISSING", "INVALID_NAME_FORMAT", "INVALID_VERSION_FORMAT", "WRONG_TYPE"),
        *("TESTS_NOT_FOUND", "UNKNOWN_KEY", "DESCRIPTION_MISSING"),
    ]


_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
_numbers = st.integers(0, 10**9)


@settings(deadline=None)
@given(
    st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}", fullmatch=True),
    st.builds("{}.{}.{}".format, _numbers, _numbers, _numbers),
    _texts,
    st.lists(_texts, max_size=3),
)
def test_every_accepted_skill_is_read_as_it_was_written(
    name: str, version: str, description: str, tags: list[str]
) -> None:
    fields = {"name": name, "version": version, "description": description, "tags": tags}
    manifest, findings = read(front(yaml.safe_dump(fields, allow_unicode=True)))
    assert findings == []
    assert manifest == SkillManifest(
        ("SKILL.md",), name, name.lower(), version, description, tags=tuple(tags)
    )


_lines = st.sampled_from(
    [
        "---",
        "...",
        "name: a",
        "name: [",
        "version: 1",
        "version: 1.0.0",
        "- x",
        "\t",
        "&a *a",
        "tags: ~",
        "{",
        "\x00",
        "",
    ]
)


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.lists(_lines, max_size=12).map(lambda each: "\n".join(each).encode())
    )
)
def test_reading_never_raises(data: bytes) -> None:
    manifest, findings = read(data)
    usable = manifest.name and not any(severity == "error" for _, severity, _ in findings)
    assert usable or findings
