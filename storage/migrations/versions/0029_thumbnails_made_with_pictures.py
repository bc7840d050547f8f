"""thumbnails made with pictures: where the small copy of a render's picture is"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("renders", sa.Column("thumbnail", sa.String(40)))
