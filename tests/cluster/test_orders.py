"""Orders given to a farm that runs: on a real cluster, with workers that rest instead of
painting.
"""

import pytest

from farm.client.client import Client
from storage.campaigns import Campaigns
from storage.database import open_database
from storage.watching import Watching
from tests.cluster.conftest import Farm

pytestmark = pytest.mark.cluster

CHUNK = 40  # ten batches, of 0.1 s each


class Standing(Farm):
    """`farm up` on a database of its own."""

    def __init__(self, home, url):
        super().__init__(
            home,
            {
                "FARM_WORKERS": "1",
                "FARM_REST": "0.1",
                "FARM_CHUNK": str(CHUNK),
                "FARM_DATABASE_URL": url,
                "FARM_PORT": "0",
            },
        )
        self._engine = open_database(url)
        self.campaigns, self.watching = Campaigns(self._engine), Watching(self._engine)
        self.process = self.start("up")
        self.wait_until((self.home / "farm.json").exists, self.process)

    def row(self, name="c", project="default"):
        return self.campaigns.get(project, name)

    def end(self):
        super().end()
        self._engine.dispose()

    def client(self):
        import json

        return Client(json.loads((self.home / "farm.json").read_text())["url"])


@pytest.fixture
def farm(tmp_path, postgres, postgres_template):
    farm = Standing(tmp_path / "home", postgres.new_database(postgres_template))
    yield farm
    farm.end()


def test_orders_reach_a_farm_that_runs(farm):
    farm.run("submit", farm.file("large", seeds={"count": 1000}))
    farm.wait_until(lambda: farm.row("large").done >= CHUNK, farm.process)

    # A small campaign takes its turn as soon as the chunk that is being painted is done.
    farm.run("submit", farm.file("small", seeds={"count": 1}))
    farm.wait_until(lambda: farm.row("small").done, farm.process)
    came, begun = farm.row("small").created_at, min(o for o in ended(farm, "small"))
    assert sum(came < moment < begun for moment in ended(farm, "large")) <= 2 * CHUNK
    farm.wait_until(lambda: farm.row("small").state == "done", farm.process)

    farm.run("pause", "large")
    farm.wait_until(lambda: farm.row("large").running == 0, farm.process)
    paused = farm.row("large").done
    assert "farm resume large" in farm.run("why", "large")
    farm.run("resume", "large")
    farm.wait_until(lambda: farm.row("large").done > paused, farm.process)

    # Cancelled, it stops in the middle of a chunk, within a batch; what was painted by then stays.
    farm.run("cancel", "large")
    farm.wait_until(lambda: farm.row("large").state == "cancelled", farm.process)
    row = farm.row("large")
    assert row.done + row.cancelled == row.total == 12_000
    assert {attempt.outcome for attempt in farm.watching.attempts_after(0)} >= {
        "painted",
        "stopped",
    }
    assert "cancelled" in farm.run("why", "large/11999")
    with farm.client() as client:
        assert len(list(client.manifest("large"))) == row.done


def test_a_campaign_over_its_budget_stops_and_goes_on_with_a_larger_one_and_paints_nothing_twice(
    farm,
):
    """Chunks of ten batches of 0.1 s: a budget of 1.9 s has room for one, and what it leaves for
    another.
    """
    file = farm.file(seeds={"count": 20}, budget={"gpu_hours": 1.9 / 3600})
    error = farm.run("submit", "--wait", file, code=1)
    assert (
        "of its budget of 0.000528 GPU hours with 160 of 240 renders left: raise `budget` in the"
        " file" in error
    )
    row = farm.row()
    assert (row.state, row.done, row.running) == ("stopped", 2 * CHUNK, 0)
    assert row.device_s >= 1.9
    for command in (["submit", "--wait", file], ["watch", "c"]):
        assert "of its budget" in farm.run(*command, code=1)
    assert "cannot be resumed" in farm.run("resume", "c", code=3)
    assert "It stays stopped" in farm.run("submit", file)
    assert "It is over budget" in farm.run("why", "c")
    assert farm.row().done == 2 * CHUNK

    summary = farm.json(
        "submit", "--wait", "--update", farm.file(seeds={"count": 20}, budget={"gpu_hours": 1})
    )
    assert (summary["state"], summary["renders"]["done"]) == ("done", 240)
    painted = [attempt.done for attempt in farm.watching.attempts_after(0)]
    assert (sum(painted), set(painted)) == (240, {CHUNK}), "each is painted once"


def ended(farm, name):
    """When each render of a campaign ended."""
    from sqlalchemy import text

    with farm.campaigns._engine.connect() as connection:
        query = text(
            "SELECT r.finished_at FROM renders r JOIN campaigns c ON c.id = r.campaign_id WHERE"
            " c.name = :name"
        )
        return list(connection.execute(query, {"name": name}).scalars())
