"""Campaigns of very many renders: their rows are made directly."""

from sqlalchemy import text

from storage.campaigns import Campaigns
from storage.database import closing_engine
from tests.campaigns import campaign

_ROWS = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)
    INSERT INTO renders (campaign_id, number, digest, state, reason, attempts, finished_at, drift,
                         rules_tested, rules_failed)
    SELECT :campaign, i, 'd',
           CASE WHEN i % 100 = 1 THEN 'held' WHEN i % 100 = 2 THEN 'failed' ELSE 'done' END,
           CASE WHEN i % 100 = 1 THEN 'drift' WHEN i % 100 = 2 THEN 'unknown' ELSE 'painted' END,
           1, 0.0, (i % 100) / 100.0, 2, CASE WHEN i % 10 = 0 THEN 'sharpness@1' END
    FROM n
"""
_COUNTS = """
    UPDATE campaigns
    SET done = total - 2 * (total / 100), held = total / 100, failed = total / 100,
        started_at = created_at, finished_at = created_at
    WHERE id = :campaign
"""


def many(client, settings, *, products, places, seeds, name="spring"):
    """A finished campaign of so many renders; of each 100, one is held and one has failed."""
    vary = {
        "product": [f"product {k}" for k in range(products)],
        "place": [f"place {k}" for k in range(places)],
    }
    file = campaign(name=name, prompt="a {product} in {place}", vary=vary, seeds={"count": seeds})
    client.submit(file)
    total = products * places * seeds
    with closing_engine(settings.database_address) as engine:
        row = Campaigns(engine).get("default", name)
        assert row.total == total
        with engine.begin() as connection:
            connection.execute(text(_ROWS), {"campaign": row.id, "last": total - 1})
            connection.execute(text(_COUNTS), {"campaign": row.id})
            connection.execute(text("DELETE FROM chunks"))
    return total
