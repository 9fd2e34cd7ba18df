"""the spine: projects, releases, deployments, uploads, nodes

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from longshore_storage.catalogue import append_only, columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("from_status", sa.String(), nullable=False),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.CheckConstraint("result IN ('DONE', 'DENIED', 'FAILED')", name=op.f("ck_audit_entry_result")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entry_deployment_id_id", ["deployment_id", "id"], unique=False)
        batch_op.create_index("ix_audit_entry_project_id", ["project", "id"], unique=False)
        for whose in ("principal", "project"):
            batch_op.create_index(
                f"ix_audit_entry_validated_{whose}",
                [whose, "id"],
                unique=False,
                sqlite_where=sa.text("action = 'validation.accepted'"),
                postgresql_where=sa.text("action = 'validation.accepted'"),
            )

    op.create_table(
        "audit_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("rows_sha256", sa.String(), nullable=False),
        sa.Column("previous_head", sa.String(), nullable=False),
        sa.Column("head", sa.String(), nullable=False),
        sa.Column("time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("anchor_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("removal_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("last_id", name=op.f("uq_audit_seal_last_id")),
    )
    for statement in append_only.GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.create_table(
        "chore",
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("place", sa.String(), server_default="", nullable=False),
        sa.Column("end_time", columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chore")),
    )
    op.create_table(
        "condemned",
        sa.Column("key", columns.BytewiseText(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("condemn_time", columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_condemned")),
    )
    op.create_table(
        "environment",
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("second_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_environment")),
    )
    op.create_table(
        "identity",
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_identity")),
    )
    op.create_table(
        "manifest_draft",
        sa.Column("key", columns.BytewiseText(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_manifest_draft")),
    )
    op.create_table(
        "orphan",
        sa.Column("key", columns.BytewiseText(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("find_time", columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_orphan")),
    )
    op.create_table(
        "pack_file",
        sa.Column("key", columns.BytewiseText(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('WRITING', 'STORED', 'DAMAGED')", name=op.f("ck_pack_file_state")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_pack_file")),
    )
    op.create_table(
        "payload",
        sa.Column("sha256", columns.BytewiseText(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunk_count", sa.BigInteger(), nullable=False),
        sa.Column("manifest_key", columns.BytewiseText(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("damage", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_payload_size")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload")),
        sa.UniqueConstraint("manifest_key", name=op.f("uq_payload_manifest_key")),
    )
    with op.batch_alter_table("payload", schema=None) as batch_op:
        batch_op.create_index(
            "ix_payload_damaged",
            ["sha256"],
            unique=False,
            sqlite_where=sa.text("damage <> ''"),
            postgresql_where=sa.text("damage <> ''"),
        )

    op.create_table(
        "project",
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("only_validated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("kind", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_project")),
    )
    op.create_table(
        "chunk",
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pack_key", columns.BytewiseText(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("stored_length", sa.Integer(), nullable=False),
        sa.Column("raw_length", sa.Integer(), nullable=False),
        sa.Column("codec", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pack_key"], ["pack_file.key"], name=op.f("fk_chunk_pack_key"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project"], ["project.name"], name=op.f("fk_chunk_project")),
        sa.PrimaryKeyConstraint("project", "digest", name=op.f("pk_chunk")),
    )
    with op.batch_alter_table("chunk", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chunk_pack_key"), ["pack_key"], unique=False)

    op.create_table(
        "node",
        sa.Column("id", columns.BytewiseText(), nullable=False),
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("server_version", sa.String(), nullable=False),
        sa.Column("boot_number", sa.BigInteger(), nullable=False),
        sa.Column("boot_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("free_disk_bytes", sa.BigInteger(), nullable=False),
        sa.Column("report_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("installs", sa.Boolean(), nullable=False),
        sa.Column("cordon_reason", sa.String(), server_default="", nullable=False),
        sa.Column("cordoned_by", sa.String(), server_default="", nullable=False),
        sa.Column("cordon_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("draining", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("upload_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rollout_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["environment"], ["environment.name"], name=op.f("fk_node_environment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
        sa.UniqueConstraint("name", name=op.f("uq_node_name")),
    )
    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_node_environment"), ["environment"], unique=False)

    op.create_table(
        "payload_pack",
        sa.Column("payload_sha256", columns.BytewiseText(), nullable=False),
        sa.Column("pack_key", columns.BytewiseText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pack_key"], ["pack_file.key"], name=op.f("fk_payload_pack_pack_key"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["payload_sha256"],
            ["payload.sha256"],
            name=op.f("fk_payload_pack_payload_sha256"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("payload_sha256", "pack_key", name=op.f("pk_payload_pack")),
    )
    with op.batch_alter_table("payload_pack", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payload_pack_pack_key"), ["pack_key"], unique=False)

    op.create_table(
        "release",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("version_key", columns.BytewiseText(), nullable=False),
        sa.Column("version_order", columns.BytewiseText(), nullable=False),
        sa.Column("payload_sha256", columns.BytewiseText(), nullable=False),
        sa.Column("stored_payload", columns.BytewiseText(), nullable=True),
        sa.Column("content_sha256", columns.BytewiseText(), nullable=False),
        sa.Column("payload_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("payload_format", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("unpacked_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("pin_reason", sa.String(), server_default="", nullable=False),
        sa.Column("pinned_by", sa.String(), server_default="", nullable=False),
        sa.Column("kind", sa.String(), server_default="COMPONENT", nullable=False),
        sa.Column("source", sa.JSON(), nullable=True),
        sa.Column("install_method", sa.String(), server_default="", nullable=False),
        sa.Column("validation_skipped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["project.name"], name=op.f("fk_release_project")),
        sa.ForeignKeyConstraint(
            ["stored_payload"],
            ["payload.sha256"],
            name=op.f("fk_release_stored_payload"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
    )
    with op.batch_alter_table("release", schema=None) as batch_op:
        batch_op.create_index(
            "ix_release_project_version_order", ["project", "version_order", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_release_stored_payload"), ["stored_payload"], unique=False)
        batch_op.create_index("uq_release_project_version_key", ["project", "version_key"], unique=True)

    op.create_table(
        "activation",
        sa.Column("node_id", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("node_name", columns.BytewiseText(), nullable=False),
        sa.Column("deployment_id", sa.String(), server_default="", nullable=False),
        sa.Column("release_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.String(), server_default="", nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("told_status", sa.String(), server_default="", nullable=False),
        sa.Column("fetched_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reused_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("installed_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("path", sa.String(), server_default="", nullable=False),
        sa.Column("message", sa.String(), server_default="", nullable=False),
        sa.Column("start_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("end_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("report_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "status IN ('PENDING', 'FETCHING', 'SWITCHING', 'LIVE', 'FAILED', 'SUPERSEDED', 'REMOVED')",
            name=op.f("ck_activation_status"),
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_activation_release_id")),
        sa.PrimaryKeyConstraint(
            "node_id", "environment", "project", "generation", name=op.f("pk_activation")
        ),
    )
    with op.batch_alter_table("activation", schema=None) as batch_op:
        batch_op.create_index("ix_activation_deployment_id", ["deployment_id", "generation"], unique=False)
        batch_op.create_index(
            "ix_activation_project_environment_generation",
            ["project", "environment", "generation"],
            unique=False,
        )

    op.create_table(
        "hook_output",
        sa.Column("node_id", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("node_name", columns.BytewiseText(), nullable=False),
        sa.Column("hook", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("taking_back", sa.Boolean(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("line_count", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("told_lines", sa.BigInteger(), nullable=False),
        sa.Column("told_ended", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('BEFORE_SWITCH', 'RESTART', 'AFTER_SWITCH', 'CHECK')",
            name=op.f("ck_hook_output_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["node_id", "environment", "project", "generation"],
            [
                "activation.node_id",
                "activation.environment",
                "activation.project",
                "activation.generation",
            ],
            name=op.f("fk_hook_output_node_id_environment_project_generation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "node_id", "environment", "project", "generation", "number", name=op.f("pk_hook_output")
        ),
    )
    with op.batch_alter_table("hook_output", schema=None) as batch_op:
        batch_op.create_index("ix_hook_output_deployment_id", ["deployment_id"], unique=False)

    op.create_table(
        "deployment",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("id", columns.BytewiseText(), nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), server_default="", nullable=False),
        sa.Column("status_message", sa.String(), server_default="", nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("release_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.String(), server_default="", nullable=False),
        sa.Column("payload_format", sa.String(), server_default="", nullable=False),
        sa.Column("file_name", sa.String(), server_default="", nullable=False),
        sa.Column("payload_sha256", columns.BytewiseText(), server_default="", nullable=False),
        sa.Column("content_sha256", columns.BytewiseText(), server_default="", nullable=False),
        sa.Column("payload_size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("durable_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reused_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deployed_by", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("trace_context", sa.String(), server_default="", nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("record_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("start_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("end_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("queue_order", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rollback_of", sa.String(), server_default="", nullable=False),
        sa.Column("restored_deployment_id", sa.String(), server_default="", nullable=False),
        sa.Column("rolled_back_by", sa.String(), server_default="", nullable=False),
        sa.Column("previous_deployment_id", sa.String(), server_default="", nullable=False),
        sa.Column("previous_version", sa.String(), server_default="", nullable=False),
        sa.Column("expected_live_deployment_id", sa.String(), nullable=True),
        sa.Column("queue_policy", sa.String(), server_default="WAIT", nullable=False),
        sa.Column("gate_id", sa.String(), server_default="", nullable=False),
        sa.Column("retry_of", sa.String(), server_default="", nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("owner_epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner_node_id", sa.String(), server_default="", nullable=False),
        sa.Column("supersede_requested_by", sa.String(), server_default="", nullable=False),
        sa.Column("cancelled_by", sa.String(), server_default="", nullable=False),
        sa.Column("cancel_reason", sa.String(), server_default="", nullable=False),
        sa.Column("intended_outcome", sa.String(), server_default="", nullable=False),
        sa.Column("revert_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("strategy", sa.JSON(), nullable=True),
        sa.Column("failure_policy", sa.String(), server_default="", nullable=False),
        sa.Column("covered_nodes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed_canary_steps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting_gate_id", sa.String(), server_default="", nullable=False),
        sa.Column("canary_due_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("promoted_gate_id", sa.String(), server_default="", nullable=False),
        sa.Column("promoted_by", sa.String(), server_default="", nullable=False),
        sa.Column("paused_by", sa.String(), server_default="", nullable=False),
        sa.Column("pause_reason", sa.String(), server_default="", nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("last_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("compacted_through", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("all_events", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("total_findings", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bundle_kind", sa.String(), server_default="", nullable=False),
        sa.Column("skip_validation", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("skip_dependencies", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("skip_tests", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "status IN ('PENDING', 'RECEIVING', 'VALIDATING', 'STAGED', 'QUEUED', 'ROLLING_OUT', 'PAUSED', 'REVERTING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED')",
            name=op.f("ck_deployment_status"),
        ),
        sa.ForeignKeyConstraint(
            ["environment"], ["environment.name"], name=op.f("fk_deployment_environment")
        ),
        sa.ForeignKeyConstraint(["project"], ["project.name"], name=op.f("fk_deployment_project")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_deployment_release_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deployment")),
        sa.UniqueConstraint("id", name=op.f("uq_deployment_id")),
    )
    with op.batch_alter_table("deployment", schema=None) as batch_op:
        batch_op.create_index("ix_deployment_create_time", ["create_time"], unique=False)
        batch_op.create_index(
            "ix_deployment_end_time",
            ["end_time"],
            unique=False,
            sqlite_where=sa.text("end_time IS NOT NULL AND all_events = 1"),
            postgresql_where=sa.text("end_time IS NOT NULL AND all_events"),
        )
        batch_op.create_index(
            "ix_deployment_queue", ["project", "environment", "status", "queue_order"], unique=False
        )
        batch_op.create_index("ix_deployment_deployed_by_number", ["deployed_by", "number"], unique=False)
        batch_op.create_index("ix_deployment_version_number", ["version", "number"], unique=False)
        batch_op.create_index(
            "ix_deployment_release_environment_number", ["release_id", "environment", "number"], unique=False
        )
        batch_op.create_index("ix_deployment_environment_number", ["environment", "number"], unique=False)
        batch_op.create_index(
            "ix_deployment_project_environment_number", ["project", "environment", "number"], unique=False
        )
        batch_op.create_index("ix_deployment_project_number", ["project", "number"], unique=False)
        batch_op.create_index("ix_deployment_status_number", ["status", "number"], unique=False)
        batch_op.create_index(
            "uq_deployment_rollout",
            ["project", "environment"],
            unique=True,
            sqlite_where=sa.text("status IN ('ROLLING_OUT', 'PAUSED', 'REVERTING')"),
            postgresql_where=sa.text("status IN ('ROLLING_OUT', 'PAUSED', 'REVERTING')"),
        )

    op.create_table(
        "deployment_label",
        sa.Column("key", columns.BytewiseText(), nullable=False),
        sa.Column("value", columns.BytewiseText(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["deployment.number"], name=op.f("fk_deployment_label_number")),
        sa.PrimaryKeyConstraint("key", "value", "number", name=op.f("pk_deployment_label")),
    )
    op.create_table(
        "event",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("awaits_notice", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name=op.f("fk_event_deployment_id")),
        sa.PrimaryKeyConstraint("deployment_id", "sequence", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_event_awaits_notice",
            ["time"],
            unique=False,
            sqlite_where=sa.text("awaits_notice = 1"),
            postgresql_where=sa.text("awaits_notice"),
        )

    op.create_table(
        "finding",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.CheckConstraint("severity IN ('INFO', 'WARNING', 'ERROR')", name=op.f("ck_finding_severity")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name=op.f("fk_finding_deployment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "number", name=op.f("pk_finding")),
    )
    op.create_table(
        "project_environment",
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_queue_order", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("live_release_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("live_deployment_id", columns.BytewiseText(), nullable=True),
        sa.Column("live_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("live_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("settings_revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("freeze_reason", sa.String(), server_default="", nullable=False),
        sa.Column("frozen_by", sa.String(), server_default="", nullable=False),
        sa.Column("freeze_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("keep_releases", sa.Integer(), nullable=True),
        sa.Column("keep_for_s", sa.BigInteger(), nullable=True),
        sa.Column("keep_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rollback_targets", sa.Integer(), nullable=True),
        sa.Column("strategy", sa.JSON(), nullable=True),
        sa.Column("failure_policy", sa.String(), server_default="", nullable=False),
        sa.Column("node_selector", sa.JSON(), nullable=False),
        sa.Column("second_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment"], ["environment.name"], name=op.f("fk_project_environment_environment")
        ),
        sa.ForeignKeyConstraint(
            ["live_deployment_id"], ["deployment.id"], name=op.f("fk_project_environment_live_deployment_id")
        ),
        sa.ForeignKeyConstraint(
            ["live_release_id"], ["release.id"], name=op.f("fk_project_environment_live_release_id")
        ),
        sa.ForeignKeyConstraint(["project"], ["project.name"], name=op.f("fk_project_environment_project")),
        sa.PrimaryKeyConstraint("project", "environment", name=op.f("pk_project_environment")),
    )
    op.create_table(
        "upload",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.String(), server_default="", nullable=False),
        sa.Column("declared_size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("declared_sha256", sa.String(), server_default="", nullable=False),
        sa.Column("durable_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_segment", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reused_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("heartbeat_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("stored_payload", columns.BytewiseText(), nullable=True),
        sa.CheckConstraint("way IN ('', 'PLAIN', 'CHUNKS')", name=op.f("ck_upload_way")),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name=op.f("fk_upload_deployment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["stored_payload"], ["payload.sha256"], name=op.f("fk_upload_stored_payload"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_upload")),
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_stored_payload"), ["stored_payload"], unique=False)

    op.create_table(
        "assignment",
        sa.Column("node_id", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("release_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.String(), server_default="", nullable=False),
        sa.Column("assign_time", columns.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name=op.f("fk_assignment_node_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project", "environment"],
            ["project_environment.project", "project_environment.environment"],
            name=op.f("fk_assignment_project_environment"),
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_assignment_release_id")),
        sa.PrimaryKeyConstraint("node_id", "environment", "project", name=op.f("pk_assignment")),
    )
    with op.batch_alter_table("assignment", schema=None) as batch_op:
        batch_op.create_index("ix_assignment_project_environment", ["project", "environment"], unique=False)

    op.create_table(
        "rollout_node",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("node_id", columns.BytewiseText(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("failure_domain", sa.String(), server_default="", nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("inherited_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("revert_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name=op.f("fk_rollout_node_deployment_id")
        ),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name=op.f("fk_rollout_node_node_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "node_id", name=op.f("pk_rollout_node")),
    )
    with op.batch_alter_table("rollout_node", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollout_node_node_id"), ["node_id"], unique=False)

    op.create_table(
        "pin",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("pack_key", columns.BytewiseText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["upload.deployment_id"], name=op.f("fk_pin_deployment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pack_key"], ["pack_file.key"], name=op.f("fk_pin_pack_key"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "pack_key", name=op.f("pk_pin")),
    )
    with op.batch_alter_table("pin", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pin_pack_key"), ["pack_key"], unique=False)

    op.create_table(
        "upload_segment",
        sa.Column("deployment_id", columns.BytewiseText(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("end_offset", sa.BigInteger(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["upload.deployment_id"],
            name=op.f("fk_upload_segment_deployment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deployment_id", "number", name=op.f("pk_upload_segment")),
    )

    release_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "bundle",
        sa.Column("release_id", release_id, nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_bundle_release_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_bundle")),
    )
    op.create_table(
        "dependency",
        sa.Column("release_id", release_id, nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("constraint", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_dependency_release_id")),
        sa.PrimaryKeyConstraint("release_id", "project", name=op.f("pk_dependency")),
    )
    with op.batch_alter_table("dependency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dependency_project"), ["project"], unique=False)

    op.create_table(
        "access_token",
        sa.Column("id", columns.BytewiseText(), nullable=False),
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("secret_sha256", columns.BytewiseText(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expire_time", columns.UtcTime(timezone=True), nullable=True),
        sa.Column("revoke_time", columns.UtcTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("name", name=op.f("uq_access_token_name")),
    )
    op.create_table(
        "workflow_content",
        sa.Column("sha256", columns.BytewiseText(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_workflow_content")),
    )
    op.create_table(
        "workflow",
        sa.Column("release_id", release_id, nullable=False),
        sa.Column("path", columns.BytewiseText(), nullable=False),
        sa.Column("name", columns.BytewiseText(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("task_count", sa.Integer(), nullable=False),
        sa.Column("sha256", columns.BytewiseText(), nullable=False),
        sa.Column("definition_sha256", columns.BytewiseText(), nullable=True),
        sa.Column("registered", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_workflow_release_id")),
        sa.ForeignKeyConstraint(
            ["definition_sha256"], ["workflow_content.sha256"], name=op.f("fk_workflow_definition_sha256")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["workflow_content.sha256"], name=op.f("fk_workflow_sha256")),
        sa.PrimaryKeyConstraint("release_id", "path", "name", name=op.f("pk_workflow")),
    )
    with op.batch_alter_table("workflow", schema=None) as batch_op:
        batch_op.create_index("ix_workflow_release_id_name", ["release_id", "name"], unique=False)

    op.create_table(
        "verification",
        sa.Column("id", columns.BytewiseText(), nullable=False),
        sa.Column("project", columns.BytewiseText(), nullable=False),
        sa.Column("environment", columns.BytewiseText(), nullable=False),
        sa.Column("repair", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment"], ["environment.name"], name=op.f("fk_verification_environment")
        ),
        sa.ForeignKeyConstraint(["project"], ["project.name"], name=op.f("fk_verification_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification")),
    )
    with op.batch_alter_table("verification", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_verification_create_time"), ["create_time"], unique=False)

    op.create_table(
        "node_verification",
        sa.Column("verification_id", columns.BytewiseText(), nullable=False),
        sa.Column("node_id", columns.BytewiseText(), nullable=False),
        sa.Column("node_name", columns.BytewiseText(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("version", sa.String(), server_default="", nullable=False),
        sa.Column("compared_entries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.Column("total_differences", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("message", sa.String(), server_default="", nullable=False),
        sa.Column("repair_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("end_time", columns.UtcTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'INTACT', 'DIFFERS', 'REPAIRED', 'FAILED')",
            name=op.f("ck_node_verification_status"),
        ),
        sa.ForeignKeyConstraint(
            ["node_id"], ["node.id"], name=op.f("fk_node_verification_node_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["verification_id"],
            ["verification.id"],
            name=op.f("fk_node_verification_verification_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("verification_id", "node_id", name=op.f("pk_node_verification")),
    )
    with op.batch_alter_table("node_verification", schema=None) as batch_op:
        batch_op.create_index("ix_node_verification_node_id_status", ["node_id", "status"], unique=False)

    op.create_table(
        "notification",
        sa.Column("id", columns.BytewiseText(), nullable=False),
        sa.Column("receiver", columns.BytewiseText(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("create_time", columns.UtcTime(timezone=True), nullable=False),
        sa.Column("next_try_time", columns.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
    )
    with op.batch_alter_table("notification", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notification_receiver_next_try_time", ["receiver", "next_try_time"], unique=False
        )
