"""proofs that people decide about: campaigns with proofs, how many renders of them may be painted,
and the log of decisions
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaigns", sa.Column("rejected", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("campaigns", sa.Column("released", sa.BigInteger()))
    op.add_column("campaigns", sa.Column("proof_of", sa.BigInteger()))
    op.create_index("ix_campaigns_proofs", "campaigns", ["proof_of"])
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "reviews",
        sa.Column("id", big, nullable=False),
        sa.Column("campaign_id", big, nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(10)),
        sa.Column("undoes", sa.BigInteger()),
        sa.Column("reason", sa.String(20)),
        sa.Column("note", sa.Text()),
        sa.Column("reviewer", sa.String(120)),
        sa.Column("chosen_by", sa.Text(), nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
        sa.UniqueConstraint(
            "campaign_id", "client", "sequence", name="uq_reviews_campaign_id_client_sequence"
        ),
        sqlite_autoincrement=True,
    )
