"""Run by Alembic: migrations go over the connection that `storage.database.upgrade` hands in."""

from alembic import context

from storage.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
