"""what a version after this one may add while this one runs

Revision ID: 0002_from_0001
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_from_0001"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("approval", sa.Column("id", sa.String(), primary_key=True))
    op.add_column("deployment", sa.Column("ticket", sa.String(), nullable=True))
    op.add_column("event", sa.Column("weight", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("node", sa.Column("rack", sa.String(), server_default="", nullable=False))
    op.create_index("ix_deployment_ticket", "deployment", ["ticket"])
    with op.batch_alter_table("finding") as finding:
        finding.drop_constraint(op.f("ck_finding_severity"), type_="check")
        finding.create_check_constraint(
            op.f("ck_finding_severity"), "severity IN ('INFO', 'WARNING', 'ERROR', 'FATAL')"
        )
