"""What a repository says that its ref is, and what git is given to ask it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_server.pushing import repositories
from longshore_server.pushing.repositories import RepositoryAway, git_environment, is_what_ref_is

from .git import commit, git


async def test_only_what_a_ref_is_now_is_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "_BETWEEN_LOOKS_S", 0.01)
    source, old = f"file://{repository}", git(repository, "rev-parse", "HEAD")
    assert await is_what_ref_is(source, "refs/heads/main", old)
    new = commit(repository, "two")
    # A ref whose name ends as the other's.
    git(repository, "update-ref", "refs/heads/refs/heads/main", old)
    assert await is_what_ref_is(source, "refs/heads/main", new)
    assert not await is_what_ref_is(source, "refs/heads/main", old)
    assert not await is_what_ref_is(source, "refs/heads/none", new)


async def test_an_annotated_tag_is_its_object_and_what_it_points_at(repository: Path) -> None:
    git(repository, "tag", "--annotate", "v1", "-m", "one")
    tag, target = git(repository, "rev-parse", "v1"), git(repository, "rev-parse", "HEAD")
    assert tag != target
    for commit_told in (tag, target):
        assert await is_what_ref_is(f"file://{repository}", "refs/tags/v1", commit_told)


async def test_a_repository_that_is_away_says_why(tmp_path: Path) -> None:
    with pytest.raises(RepositoryAway, match="does not appear to be a git repository"):
        await is_what_ref_is(f"file://{tmp_path}/none", "refs/heads/main", "a" * 40)


def test_git_is_given_no_secrets_of_the_nodes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "LONGSHORE_DATABASE__PASSWORD", "GIT_DIR")
    for name in (*secret, "https_proxy", "HOME"):
        monkeypatch.setenv(name, "given")
    found = git_environment()
    assert {name for name, value in found.items() if value == "given"} == {"https_proxy", "HOME"}
