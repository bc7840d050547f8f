"""previews that go before pictures: since when a campaign keeps none any more"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("previews_pruned_at", sa.Float()))
