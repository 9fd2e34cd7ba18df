"""The workflows of releases: read again from what is stored, unregistered, validated.

They are registered by the deployment that records their release (``deploying.recording``); Longshore does not
run them.
"""

from .syncing import Synced, SyncedWorkflow, WorkflowSync
from .validating import MOST_FILE_BYTES, MOST_FILES, ValidatedWorkflows, WorkflowValidation

__all__ = [
    "MOST_FILES",
    "MOST_FILE_BYTES",
    "Synced",
    "SyncedWorkflow",
    "ValidatedWorkflows",
    "WorkflowSync",
    "WorkflowValidation",
]
