"""The page shows what the results say, and nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks import page, results
from benchmarks.pictures import pictures

KEPT = results.load(results.FULL, "full")


def test_the_page_is_what_was_measured() -> None:
    shown = page.PAGE.read_text()
    assert shown == page.with_measured(shown, KEPT), "run python -m benchmarks.page"


def test_the_pictures_are_what_was_measured() -> None:
    shown = {path.name: path.read_text() for path in page.PICTURES.glob("*.svg")}
    assert shown == pictures(KEPT), "run python -m benchmarks.page"
    for text in shown.values():
        ElementTree.fromstring(text)
