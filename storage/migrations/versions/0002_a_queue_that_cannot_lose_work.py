"""a queue that cannot lose work: one leading session, explicit chunks, refusals, control and fair
share
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite gives the highest id again once its row is gone, unless the table is made so; every other
# engine is left as it is.
_NEVER_TWICE = {"sqlite_autoincrement": True}
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _campaigns()
    # An older dispatcher's session cannot be taken over: its leases go back.
    op.execute("UPDATE chunks SET state = 'queued', session_id = NULL WHERE state = 'leased'")
    op.execute("UPDATE sessions SET ended_at = heartbeat_at WHERE ended_at IS NULL")
    with op.batch_alter_table("sessions", table_kwargs=_NEVER_TWICE) as table:
        table.add_column(sa.Column("owner", sa.String(255), nullable=False, server_default=""))
        table.add_column(sa.Column("live", sa.Integer()))
        table.create_unique_constraint("uq_sessions_live", ["live"])
    with op.batch_alter_table("chunks", table_kwargs=_NEVER_TWICE) as table:
        table.add_column(sa.Column("numbers", sa.Text()))
        table.add_column(
            sa.Column("bad_outputs", sa.Integer(), nullable=False, server_default="0")
        )
        # What makes SQLite rebuild the table, as with the others below: a column of the type that
        # it has.
        table.alter_column("id", existing_type=_ID, type_=_ID)
    with op.batch_alter_table("attempts", table_kwargs=_NEVER_TWICE) as table:
        table.alter_column("id", existing_type=_ID, type_=_ID)
        table.create_index("ix_attempts_campaign", ["campaign_id", "id"])
    not_done = sa.text("state <> 'done'")
    op.create_index(
        "ix_renders_not_done",
        "renders",
        ["campaign_id", "number"],
        sqlite_where=not_done,
        postgresql_where=not_done,
    )
    op.create_table(
        "refusals",
        sa.Column("chunk_id", _ID, nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["chunks.id"], name="fk_refusals_chunk_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("chunk_id", "worker", name="pk_refusals"),
    )
    with op.batch_alter_table("workers") as table:
        table.alter_column("state", existing_type=sa.String(10), type_=sa.String(20))
        table.add_column(sa.Column("blamed", sa.Text(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("quarantined_until", sa.Float()))


def _campaigns() -> None:
    with op.batch_alter_table("campaigns", table_kwargs=_NEVER_TWICE) as table:
        table.add_column(sa.Column("deadline", sa.Float()))
        table.add_column(
            sa.Column("megapixel_steps", sa.Float(), nullable=False, server_default="0")
        )
        table.add_column(
            sa.Column("cancelled", sa.BigInteger(), nullable=False, server_default="0")
        )
        table.add_column(sa.Column("device_s", sa.Float(), nullable=False, server_default="0"))
        table.add_column(sa.Column("paused_at", sa.Float()))
        table.add_column(sa.Column("cancelled_at", sa.Float()))
        table.add_column(sa.Column("waits", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("waits_until", sa.Float()))
        table.add_column(sa.Column("waits_why", sa.Text()))
        table.add_column(sa.Column("replaces", sa.BigInteger()))
        table.add_column(sa.Column("pruned_at", sa.Float()))
        table.alter_column("id", existing_type=_ID, type_=_ID)
