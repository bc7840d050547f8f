"""what attempts cost: the pool that each was made in, its price, and how its seconds were spent"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SECONDS = ("painted_s", "padding_s", "load_s", "retries_s", "stopped_s", "lost_s", "idle_s")


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("money", sa.Float()))
    op.add_column("campaigns", sa.Column("budget_money", sa.Float()))
    op.add_column("attempts", sa.Column("pool", sa.String(100)))
    op.add_column("attempts", sa.Column("price", sa.Float()))
    for name in (*_SECONDS, "megapixel_steps"):
        op.add_column("attempts", sa.Column(name, sa.Float(), nullable=False, server_default="0"))
