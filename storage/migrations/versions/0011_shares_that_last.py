"""shares that last: what attempts have shown is stored with the session of a dispatcher"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("ledger", sa.Text()))
    op.add_column("sessions", sa.Column("accounted", sa.BigInteger()))
