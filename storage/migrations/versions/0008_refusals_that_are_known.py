"""refusals that are known: the rule that keeps a campaign waiting"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("refusal", sa.String(300)))
