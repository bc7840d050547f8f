"""Campaigns for lists: many that are over, beside those that a measurement paints."""

from collections.abc import Sequence

from sqlalchemy import Engine, delete, text

from storage.campaigns import Campaigns
from storage.control import Control
from storage.rows import NewCampaign, NewChunk
from storage.tables import chunks


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


def add_painted(
    engine: Engine, campaign_id: int, total: int, keys: str, thumbnails: Sequence[str]
) -> None:
    """Write the renders of a campaign on SQLite as if all had been painted, each with a digest of
    its own. They share files in turn, as many as there are `thumbnails`, which has for each file
    where its small copy is; `keys` is a file's key with {} for its number.
    """
    before, _, after = keys.partition("{}")
    told = {
        "campaign": campaign_id, "last": total - 1, "files": len(thumbnails),
        "before": before, "after": after,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE small (i INTEGER PRIMARY KEY, place TEXT)"))
        rows = [{"i": i, "place": place} for i, place in enumerate(thumbnails)]
        connection.execute(text("INSERT INTO small VALUES (:i, :place)"), rows)
        connection.execute(text(_PAINTED), told)
        connection.execute(text("DROP TABLE small"))
        connection.execute(text(_COUNTS), told)
        connection.execute(delete(chunks).where(chunks.c.campaign_id == campaign_id))


_PAINTED = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)
    INSERT INTO renders (campaign_id, number, digest, state, reason, attempts, finished_at, key,
                         bytes, thumbnail)
    SELECT :campaign, n.i, printf('%012d%052d', n.i, 0), 'done', 'painted', 1, 0.0,
           :before || (n.i % :files) || :after, 100000, small.place
    FROM n JOIN small ON small.i = n.i % :files
"""
_COUNTS = """
    UPDATE campaigns SET done = total, started_at = created_at, finished_at = created_at
    WHERE id = :campaign
"""
