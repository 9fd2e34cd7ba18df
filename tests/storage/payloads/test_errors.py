from __future__ import annotations

import inspect

from longshore_storage import payloads
from longshore_storage.errors import StorageError
from longshore_storage.payloads import errors


def test_the_tree_names_every_error_under_its_parent() -> None:
    assert errors.__doc__ is not None
    lines = errors.__doc__.splitlines()
    depths = {
        line.split("── ")[-1].split()[0]: len(line) - len(line.lstrip("│ ├└─"))
        for line in lines
        if "── " in line or line == "PayloadError"
    }
    classes = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert set(depths) == set(classes)
    for name, kind in classes.items():
        assert issubclass(kind, StorageError)
        parent = kind.__base__
        assert parent is not None
        if name != "PayloadError":
            assert depths[name] == depths[parent.__name__] + 4


def test_every_error_is_exported() -> None:
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            assert getattr(payloads, name) is kind
            assert name in payloads.__all__
