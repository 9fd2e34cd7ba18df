"""``python -m tools.api_reference``: write ``docs/api`` anew."""

from __future__ import annotations

from pathlib import Path

from .contract import read_contract
from .pages import render

_ROOT = Path(__file__).parents[2]


def main() -> None:
    """Write every page; what is no page of the contract any more goes."""
    folder = _ROOT / "docs" / "api"
    folder.mkdir(exist_ok=True)
    pages = render(read_contract(_ROOT / "protos"))
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
