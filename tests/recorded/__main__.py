"""Records what a farm of resting workers has done. With one worker, the order of its chunks, for
`tests/unit/test_recorded_day.py`:

    FARM_WORKERS=1 FARM_REST=0.5 FARM_SHARES='{"q": 2}' farm up      # and some campaigns
    python -m tests.recorded HOME > farm/bench/recorded/day.json

A first campaign, `warmup`, tells the farm the pace of the model; it is left out. With several
workers, every attempt, for `farm bench eta`:

    FARM_WORKERS=3 FARM_REST=1.2 FARM_REST_SPREAD=10 FARM_SHARES='{"q": 2}' farm up
    python -m tests.recorded HOME --attempts > farm/bench/recorded/rested.json
"""

import json
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

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


def recorded_attempts(database: Path) -> dict:
    """The campaigns of a farm, and its attempts in the order of their ends: campaign, worker, end,
    seconds given and painted, renders, megapixel-steps. Times are seconds since the first came.
    """
    with closing_engine(sqlite_address(database)) as engine, engine.connect() as connection:
        works = list(connection.execute(select(campaigns).order_by(campaigns.c.id)))
        ended = list(connection.execute(select(attempts).order_by(attempts.c.ended_at)))
    began = works[0].created_at
    return {
        "shares": {"q": 2},
        "loads": {},
        "campaigns": [
            {
                "id": work.id,
                "project": work.project,
                "model": work.model,
                "priority": work.priority,
                "max_workers": work.max_workers,
                "renders": work.total,
                "megapixel_steps": work.megapixel_steps,
                "arrived": round(work.created_at - began, 2),
            }
            for work in works
        ],
        "attempts": [_attempt(row, began) for row in ended],
    }


def _attempt(row: Any, began: float) -> list:
    painted_s = row.painted_s + row.padding_s + row.retries_s + row.stopped_s
    given_s = painted_s + row.load_s + row.lost_s + row.idle_s
    renders = row.done + row.failed + row.held
    seconds = [round(value, 3) for value in (row.ended_at - began, given_s, painted_s)]
    return [row.campaign_id, row.worker, *seconds, renders, round(row.megapixel_steps, 4)]


if __name__ == "__main__":
    record = recorded_attempts if "--attempts" in sys.argv else recorded
    sys.stdout.write(json.dumps(record(Path(sys.argv[1]) / "farm.db")) + "\n")
