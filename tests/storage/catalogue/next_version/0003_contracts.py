"""what it takes away when this one does not run any more

Revision ID: 0003_from_0002
Revises: 0002_from_0001
"""

from alembic import op

revision = "0003_from_0002"
down_revision = "0002_from_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_audit_entry_project_id", "audit_entry")
