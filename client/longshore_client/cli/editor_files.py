"""Names of what editors leave beside a file that is edited: swap files, backups, locks, half a copy."""

from __future__ import annotations

import re
from typing import Final

_LEFT: Final = re.compile(
    r"""
    \..*\.sw[a-z]                   # Vim: what is not saved yet
    | 4913 | .*~                    # Vim, nano, gedit: whether it may write, and the content before
    | \.\#.* | \#.*\#               # Emacs: a lock, what is not saved yet
    | .*___jb_(?:tmp|old)___        # JetBrains
    | \.goutputstream-.*            # GNOME
    | \..*\.kate-swp                # Kate
    | \.DS_Store                    # Finder
    """,
    re.VERBOSE | re.DOTALL,
)


def is_left_by_editor(name: str) -> bool:
    """Whether a file called ``name`` is no content that somebody wrote."""
    return _LEFT.fullmatch(name) is not None
