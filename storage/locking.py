"""Campaigns kept from others until a transaction ends. Whoever changes a campaign's counts or its
queue locks its row first.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from storage.campaigns import with_proofs
from storage.errors import NotFound
from storage.tables import campaigns

_GONE = "The campaign is not there any more: `farm list` shows those that are."


def locked(connection: Connection, campaign_id: int) -> Row[Any]:
    """A campaign's row. Raises NotFound if it was removed, or replaced by another version."""
    query = (
        select(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.pruned_at.is_(None))
        .with_for_update()
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(_GONE)
    return row


def locked_with_proofs(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    """The rows of a campaign and of its proofs, kept from others until the transaction ends."""
    query = select(campaigns).where(with_proofs(campaign_id), campaigns.c.pruned_at.is_(None))
    rows = connection.execute(query.order_by(campaigns.c.id).with_for_update()).all()
    if not rows:
        raise NotFound(_GONE)
    return rows
