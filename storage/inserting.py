"""New campaigns as rows, with their proofs."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, insert

from storage.bulk import insert_chunks
from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.events import record
from storage.keys import proofs_name
from storage.rows import NewCampaign, NewChunk, dump
from storage.tables import campaigns


def insert_proofs(
    connection: Connection,
    campaign_id: int,
    proofs: tuple[NewCampaign, Iterable[NewChunk]] | None,
    **more: Any,
) -> None:
    """Write the row of a campaign's proofs with its chunks, if it has any."""
    if proofs is not None:
        new = replace(proofs[0], name=proofs_name(proofs[0].name), proof_of=campaign_id)
        insert_chunks(connection, insert_campaign(connection, new, **more), proofs[1])


def tell_submitted(
    connection: Connection, campaign_id: int, new: NewCampaign, proofs: NewCampaign | None
) -> None:
    shown = ("total", "model", "priority", "deadline", "budget_s", "brand", "fingerprint")
    data = {"id": campaign_id, "stage": "final", "version": 1}
    data |= {name: getattr(new, name) for name in shown if getattr(new, name) is not None}
    if proofs is not None:
        data["proofs"] = proofs.total
    record(
        connection, EventKind.CAMPAIGN_SUBMITTED, project=new.project, campaign=new.name, data=data
    )


def insert_campaign(connection: Connection, new: NewCampaign, **more: Any) -> int:
    """Write a campaign's row; returns its id."""
    values = {**asdict(new), "spec": dump(new.spec), "created_at": db_time(), **more}
    return int(
        connection.execute(insert(campaigns).values(values).returning(campaigns.c.id)).scalar_one()
    )
