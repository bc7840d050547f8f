"""drift and what was measured of models: how far each render is from its anchor, the medians of
sets and what they are made of, and profiles of models
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("renders", sa.Column("drift", sa.Float()))
    op.create_table(
        "layouts",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("layout", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "seed", "number", name="pk_layouts"),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_layouts_campaign_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "anchors",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("layout", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "seed", name="pk_anchors"),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_anchors_campaign_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "model_profiles",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("measured_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_model_profiles"),
    )
