"""Alembic's entry: runs the revisions on the connection that ``migration`` opened."""

from alembic import context

from longshore_storage.catalogue.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    user_module_prefix="columns.",
)
with context.begin_transaction():
    context.run_migrations()
