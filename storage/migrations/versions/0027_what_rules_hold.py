"""what rules hold: how many of a campaign's held renders a person may let through"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("held_by_rule", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("campaigns", column)
    op.execute(
        "UPDATE campaigns SET held_by_rule = (SELECT count(*) FROM renders"
        " WHERE renders.campaign_id = campaigns.id AND renders.state = 'held'"
        " AND renders.reason IN ('brand', 'drift', 'drift_stopped')) WHERE held > 0"
    )
