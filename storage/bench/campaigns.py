"""Campaigns for lists: many that are over, beside those that a measurement paints."""

from sqlalchemy import Engine

from storage.campaigns import Campaigns
from storage.control import Control
from storage.rows import NewCampaign, NewChunk


def add_ended(engine: Engine, count: int, project: str = "default") -> None:
    """Write so many campaigns of two renders each, and cancel them."""
    campaigns, control = Campaigns(engine), Control(engine)
    for number in range(count):
        new = NewCampaign(
            project=project,
            name=f"ended-{number}",
            spec={},
            fingerprint=f"{number}",
            model="seedling",
            model_digest="0" * 64,
            priority=50,
            max_workers=None,
            total=2,
        )
        row = campaigns.add(new, [NewChunk(group_no=0, start=0, stop=2, total=2)])
        control.cancel(row.id)
