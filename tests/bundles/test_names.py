from __future__ import annotations

import pytest

from longshore_bundles import (
    InvalidName,
    check_environment,
    check_file_name,
    check_project,
    project_from_name,
)


@pytest.mark.parametrize("name", ["a", "0", "a.b_c-d", "x" * 100])
def test_valid_projects(name: str) -> None:
    assert check_project(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", ".a", "-a", "a b", "a/b", "é", "x" * 101, "a\n", "a@b", "a+1", "..", "²"]
)
def test_invalid_projects_are_told_the_rule(name: str) -> None:
    with pytest.raises(InvalidName, match="1 to 100 of a-z") as caught:
        check_project(name)
    assert caught.value.reason == "PROJECT_INVALID"


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("MyApp", "myapp"),
        ("@Scope/Name", "scope.name"),
        ("left-pad", "left-pad"),
        ("Zope.Interface", "zope.interface"),
    ],
)
def test_names_become_projects(name: str, project: str) -> None:
    assert project_from_name(name) == project


@pytest.mark.parametrize(
    "name", ["a/b", "@a/b/c", "@/b", "my app", "Straße", "@a", "", "_private", "\ud800", "ﬁ"]
)
def test_names_that_make_no_project_ask_for_one(name: str) -> None:
    with pytest.raises(InvalidName, match="name the project yourself"):
        project_from_name(name)


def test_environments() -> None:
    for name in ("default", "0", "eu-west-1", "x" * 63):
        assert check_environment(name) == name
    for name in ("", "-a", "a.b", "a_b", "A", "x" * 64, "a\n"):
        with pytest.raises(InvalidName, match="1 to 63"):
            check_environment(name)


def test_file_names() -> None:
    for name in ("app.jar", "…", "a b", ".hidden", "é" * 127, "dev\\x2d.unit"):
        assert check_file_name(name) == name
    for name in ("", ".", "..", "a/b", "/a", "a\0", "a\nb", "é" * 128, "\udcff"):
        with pytest.raises(InvalidName, match="last part of its path"):
            check_file_name(name)
