"""What ``.longshoreignore`` leaves out is what git leaves out; a file that cannot be used is told as such."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import EntryRefused, TreeUnreadable, walk_tree
from longshore_bundles.ignore_patterns import ignoring
from tests.bundles.trees import File, write_tree

NAME = ".longshoreignore"
LIMIT = 64 << 10


def kept(folder: Path) -> set[str]:
    """The files that belong to the tree, without the ignore file itself."""
    return {entry.path for entry in walk_tree(folder, honour_ignore_file=True)} - {NAME}


def kept_by_git(folder: Path) -> set[str]:
    subprocess.run(["git", "init", "-q", folder], check=True)
    listed = subprocess.run(
        ["git", "-C", folder, "ls-files", "-z", "--others", f"--exclude-from={NAME}"],
        check=True,
        capture_output=True,
    )
    return {name for name in listed.stdout.decode().split("\0") if name} - {NAME}


def refusal(folder: Path) -> str:
    with pytest.raises(TreeUnreadable) as caught:
        kept(folder)
    assert (caught.value.reason, caught.value.path) == ("IGNORE_FILE_INVALID", NAME)
    return str(caught.value).removeprefix(f"{NAME} cannot be used: ")


PROJECT = [
    "a.py",
    "b.pyc",
    "config/prod.env",
    "config/sample.env",
    "logs/.gitkeep",
    "logs/old/x.log",
    "node_modules/n/index.js",
    "src/a.py",
    "src/data.bin",
    "src/logs/y.log",
    "tab\t",
    "x y",
    "ends in a space ",
    "#name",
    "!name",
]


@pytest.mark.parametrize(
    "lines",
    [
        ["*", "config*", "!config", "node_modules"],
        ["*", "!*/", "!*.py"],
        ["*", "!config/", "!config/prod.env"],
        ["/logs/**", "!/logs/.gitkeep"],
        ["**/logs/**", "!**/logs/.gitkeep"],
        ["logs/*", "!logs/.gitkeep"],
        ["logs/", "!logs/.gitkeep"],
        ["/*", "!/src", "/src/*", "!/src/logs/"],
        ["src/**/*.log", "*.pyc", "!b.pyc"],
        ["src/**/", "node_modules/*/"],
        ["*/"],
        ["**"],
        ["/"],
        ["\\#name", "\\!name", "#config"],
        ["x y  ", "ends in a space\\ ", "tab\t"],
        ["config/\r", "a.py\x0c\u2028*.pyc"],
        ["src[!x]a.py", "src?data.bin", "src*logs"],
        ["[!a-z]*", "s[q-s]?", "*.[[:alpha:]]?"],
        ["src[+-9]a.py", "src[[:punct:]]a.py", "src[ -~]data.bin", "logs[[:print:]]old"],
        ["[[:graph:]]*.env", "[[:ascii:]].py", "[a-]*", "?[!-~]py[c-]", "[]x]*", "[+-.]gitkeep"],
    ],
    ids=" ".join,
)
def test_lines_leave_out_what_git_leaves_out(tmp_path: Path, lines: Sequence[str]) -> None:
    write_tree(tmp_path, {path: File(b"") for path in PROJECT})
    (tmp_path / NAME).write_bytes("\n".join(lines).encode() + b"\n")
    assert kept(tmp_path) == kept_by_git(tmp_path)


# ``**`` only where it is a part by itself: git's own documentation says of others what git does not do.
SEGMENTS = st.lists(
    st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", "[]1-]", "[[:digit:]]", "\\b"]),
    min_size=1,
    max_size=4,
).map("".join)
PATTERNS = st.builds(
    lambda sign, root, segments, slash: sign + root + "/".join(segments) + slash,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(
        SEGMENTS.filter(lambda segment: "**" not in segment) | st.sampled_from(["*", "**"]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["", "", "/"]),
)
PARTS = st.text("ab1.]", min_size=1, max_size=2).filter(lambda part: part not in (".", ".."))
PATHS = st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=5), PATHS)
def test_any_lines_leave_out_what_git_leaves_out(lines: list[str], paths: set[str]) -> None:
    files = {path for path in paths if not any(other.startswith(path + "/") for other in paths)}
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), {path: File(b"") for path in files})
        Path(folder, NAME).write_text("\n".join(lines))
        assert kept(Path(folder)) == kept_by_git(Path(folder)), lines


def test_a_question_mark_is_a_character_and_not_a_byte(tmp_path: Path) -> None:
    write_tree(tmp_path, {"é": File(b""), "éé": File(b"")})
    (tmp_path / NAME).write_text("?\n")
    assert kept(tmp_path) == {"éé"}


def test_a_name_that_is_no_utf8_is_told_or_left_out(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.pyc")).touch()
    (tmp_path / NAME).write_text("*.txt\n")
    with pytest.raises(EntryRefused, match="is not UTF-8: rename it") as caught:
        kept(tmp_path)
    assert (caught.value.reason, caught.value.path) == ("PATH_NOT_UTF8", r"\xff.pyc")
    assert caught.value.message == r"the name '\xff.pyc' is not UTF-8: rename it"
    (tmp_path / NAME).write_text("*.pyc\n")
    assert kept(tmp_path) == set()


def test_a_name_of_two_lines_is_left_out_as_any_other() -> None:
    is_ignored = ignoring(["*.pyc", "docs/**/old"])
    assert is_ignored("a\nb/c\nd.pyc")
    assert is_ignored("docs/a\nb/old/")


@pytest.mark.parametrize(
    "before",
    [("# " + "ä" * 400 + "\n").encode() * 85, b"\xef\xbb\xbf" + b"#" * (LIMIT - 4) + b"\n"],
    ids=["letters of two bytes", "a byte order mark"],
)
def test_the_limit_is_one_of_bytes(tmp_path: Path, before: bytes) -> None:
    (tmp_path / NAME).write_bytes(before + b"secret.env\n")
    assert len(before.decode("utf-8-sig")) < LIMIT <= len(before)
    assert refusal(tmp_path) == "it is larger than 65536 bytes"


def test_a_file_as_large_as_it_may_be_is_used(tmp_path: Path) -> None:
    lines = "".join(f"dir{number}/**/file{number}.txt\n" for number in range(3000))[: LIMIT - 100]
    (tmp_path / NAME).write_text(lines.rpartition("\n")[0] + "\n*.env\n!kept.env\n")
    write_tree(
        tmp_path, {"dir7/a/file7.txt": File(b""), "dir7/a/file8.txt": File(b""), "secret.env": File(b"")}
    )
    write_tree(tmp_path, {"dir2000/file2000.txt": File(b""), "kept.env": File(b"")})
    assert kept(tmp_path) == {"dir7/a/file8.txt", "kept.env"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"*.pyc\n*.\xff\n", "line 2 is not UTF-8: save it in this encoding"),
        (b"x" * (2**20 + 1), f"it is larger than {LIMIT} bytes"),
    ],
    ids=["no UTF-8", "a megabyte"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert refusal(tmp_path) == says


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a token\\\n")
    for make, says in (
        (lambda path: path.symlink_to(secret), "it is a link"),
        (os.mkfifo, "it is no file"),
        (Path.mkdir, "it is no file"),
    ):
        tree = tmp_path / "tree"
        tree.mkdir()
        make(tree / NAME)
        assert refusal(tree) == says
        shutil.rmtree(tree)


def test_what_is_no_file_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    refusal(tmp_path)
    # The lowest number that is free is given out.
    with Path(os.devnull).open() as before:
        number = before.fileno()
    refusal(tmp_path)
    with Path(os.devnull).open() as after:
        assert after.fileno() == number


@pytest.mark.parametrize("line", ["secret\\", "[z-a]", "!", "[secret", "[[:letter:]]", "[[:alpha:]"])
def test_a_line_that_is_no_pattern_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f"*.pyc\n{line}\n")
    assert refusal(tmp_path) == "line 2 is no pattern"


def test_a_pattern_may_be_long_but_not_longer_and_a_comment_as_it_likes(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    comment, blank = "# " + "why " * 1000, " " * 2000
    (tmp_path / NAME).write_text(f"{comment}\n{blank}\n{'?' * 1000}\nx\n")
    assert kept(tmp_path) == set()
    (tmp_path / NAME).write_text(f"{comment}\n{blank}\n{'?' * 1001}\nx\n")
    assert refusal(tmp_path) == "line 3 is longer than 1,000 characters"


def test_patterns_of_many_stars_take_no_time(tmp_path: Path) -> None:
    # With six stars and a hundred letters it was a minute and a half.
    (tmp_path / NAME).write_text("*a" * 40 + "*b\n")
    (tmp_path / ("a" * 250)).touch()
    assert kept(tmp_path) == {"a" * 250}


def test_lines_of_any_length_and_kind_become_expressions() -> None:
    # RE2 refuses what grows too large: nothing that fits into the file may.
    for line in ("?" * 1000, "[!é]" * 250, "[[:alpha:]]" * 90, "𝄞" * 1000, "*a" * 500, "a/**/" * 200):
        assert not ignoring([line] * 64)("b")
