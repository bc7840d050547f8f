"""Records what a farm with one resting worker has done, for `tests/unit/test_recorded_day.py`:

    FARM_WORKERS=1 FARM_REST=0.5 FARM_SHARES='{"q": 2}' farm up      # and some campaigns
    python -m tests.recorded HOME > tests/recorded/day.json

A first campaign, `warmup`, tells the farm the pace of the model; it is left out.
"""

import json
import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
from sqlalchemy import select

from storage.database import closing_engine, sqlite_address
from storage.tables import attempts, campaigns


def recorded(database: Path) -> dict:
    """The campaigns of a farm that has been idle since, and the chunks in the order in which they
    were painted, each with its campaign's number in that list, and its renders.
    """
    with closing_engine(sqlite_address(database)) as engine, engine.connect() as connection:
        works = [
            row
            for row in connection.execute(select(campaigns).order_by(campaigns.c.id))
            if row.name != "warmup"
        ]
        done = [
            row
            for row in connection.execute(select(attempts).order_by(attempts.c.id))
            if row.campaign_id in {work.id for work in works} and row.done
        ]
    numbers = {work.id: number for number, work in enumerate(works)}
    painted = [sum(json.loads(row.facts)["batch_s"]) for row in done]
    ends = [works[0].started_at, *(row.ended_at for row in done)]
    on_device = [0.0, *accumulate(painted)]
    return {
        "shares": {"q": 2},
        "batch_s": 0.5,
        "campaigns": [
            {
                "project": work.project,
                "name": work.name,
                "priority": work.priority,
                "renders": work.total,
                # When the dispatcher saw it: each began at once. It is in device time, as a
                # virtual worker loses none between chunks.
                "arrives_s": round(float(np.interp(work.started_at, ends, on_device)), 2),
            }
            for work in works
        ],
        "chunks": [[numbers[row.campaign_id], row.done] for row in done],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(recorded(Path(sys.argv[1]) / "farm.db")) + "\n")
