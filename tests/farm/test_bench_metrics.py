"""`farm bench metrics`: pages of small farms, measured as those of large ones are."""

import json

import pytest
from typer.testing import CliRunner

from farm.api.metrics.exposition import Metrics
from farm.bench import metrics as bench
from farm.cli import app


@pytest.fixture
def pages(monkeypatch):
    """The pages that were measured."""
    made, page = [], Metrics.page

    def noting(self, accept=""):
        made.append(page(self, accept))
        return made[-1]

    monkeypatch.setattr(Metrics, "page", noting)
    return made


def test_a_page_of_each_farm_is_measured_and_has_what_was_put_there(pages):
    result = bench.measure(rounds=2, campaigns=(1, 3), workers=5)
    for count in (1, 3):
        spread = result["figures"][f"page_ms.{count}"]
        assert 0 < spread["min"] <= spread["median"] <= spread["max"]
        assert result["figures"][f"page_kb.{count}"]["max"] > 1
    assert len(pages) == 6, "one more for each farm, in which all series begin"
    last = pages[-1][0].decode()
    waiting = 'model="m2@00000000",project="project-2",state="queued"'
    assert f"farm_queue_renders{{{waiting}}} 100.0" in last
    assert 'farm_workers{pool="pool-0",state="painting"} 2.0' in last
    assert "farm_database_up 1.0" in last


def test_the_command_prints_its_figures(monkeypatch):
    small = lambda rounds: bench.measure(rounds=rounds, campaigns=(1,), workers=2)  # noqa: E731
    monkeypatch.setattr("farm.commands.bench.measure_metrics", small)
    done = CliRunner().invoke(app, ["bench", "metrics", "--rounds", "1", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert set(result) == {"bench", "machine", "setup", "figures", "peers"}
    assert set(result["figures"]) == {"page_ms.1", "page_kb.1", "processor_share.1"}
