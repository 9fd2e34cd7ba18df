"""Backups of the catalogue: every row of it in one file, and back."""

from .file import BackupHeader
from .restoring import check_backup, restore
from .taking import back_up

__all__ = ["BackupHeader", "back_up", "check_backup", "restore"]
