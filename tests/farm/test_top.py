"""`farm top`: what it shows of a farm, and its keys."""

import asyncio
import json
from dataclasses import replace

import pytest
from textual.widgets import DataTable, Input, Static
from typer.testing import CliRunner

from farm.app import open_app, serve
from farm.cli import app as cli
from farm.client.client import Client
from farm.commands.top_look import (
    alert_lines,
    campaign_columns,
    cells_of,
    headline,
    look,
    seen_since,
)
from farm.commands.top_screen import Top
from farm.config import read_settings
from storage.errors import Unreachable
from storage.rows import WorkerRow
from tests.campaigns import data

WORKERS = [
    WorkerRow(
        name=f"gpu-{k}", state=state, pool="gpu", node="host-a", node_id="aa", device="cpu",
        numerics_class="c", warm=None,
    )
    for k, state in enumerate(("quarantined", "idle"))
]  # fmt: skip


@pytest.fixture
def url(tmp_path, watching, queue, database_url, monkeypatch):
    settings = read_settings(
        home=tmp_path / "home", database_url=database_url, ray="192.0.2.1:6379"
    )
    watching.save_workers(queue.lead(owner="o", host="h", pid=1), WORKERS)
    with open_app(settings) as app, serve(app, 0) as url:
        for project, name, seeds in (("acme", "zinnia", [1, 2]), ("default", "aster", [1])):
            with Client(url, project=project) as client:
                client.submit(data(name=name, seeds=seeds))
        monkeypatch.setenv("FARM_URL", url)
        yield url


@pytest.fixture
def found(url):
    with Client(url) as client:
        return look(client, 1000.0)


def test_a_look_tells_what_waits_for_whom_and_what_is_wrong(found):
    assert headline(found) == (
        "0 renders · 18 to paint (acme 12, default 6) · workers: 1 idle, 1 quarantined · led by h"
    )
    columns = campaign_columns(found.at)
    names = [row[0] for row in cells_of(columns, found.campaigns, by=0, reverse=True)]
    assert names == ["zinnia", "aster"]
    assert [
        row[:4] for row in cells_of(columns, found.campaigns, by=0, reverse=False, having="ACM")
    ] == [["zinnia", "acme", "queued", "0/12"]]
    # It has led, and has not said since that it is well.
    (line,) = alert_lines(found, {})
    assert line.startswith("seen: FarmDispatcherGone, an alert in 2 min if it lasts. No dispatch")


def test_an_alert_is_one_once_it_has_lasted(found):
    since = seen_since(found, {})
    later = replace(found, at=found.at + 120)
    since = seen_since(later, since)
    assert alert_lines(later, since)[0].startswith("critical: FarmDispatcherGone, for 2 min.")
    assert seen_since(replace(later, seen=()), since) == {}


@pytest.mark.usefixtures("url")
def test_a_program_gets_one_look():
    done = CliRunner().invoke(cli, ["top", "--json"])
    told = json.loads(done.stdout)
    assert told["to_paint"] == {"acme": 12, "default": 6}
    assert [alert["name"] for alert in told["alerts"]] == ["FarmDispatcherGone"]
    plain = CliRunner().invoke(cli, ["top"])
    assert "zinnia" in plain.stdout


def test_the_screen_sorts_filters_and_outlives_a_farm_that_is_away(found):
    answers = [found, Unreachable("No farm answers."), found]
    asyncio.run(_use(Top(lambda _now: _next(answers), every_s=3600)))
    assert not answers


def _next(answers):
    answer = answers.pop(0)
    if isinstance(answer, Unreachable):
        raise answer
    return answer


async def _use(top):
    async with top.run_test(size=(80, 24)) as pilot:
        await _answered(top, pilot)
        campaigns = top.query_one("#campaigns", DataTable)
        assert _first_cells(campaigns) == ["aster", "zinnia"]
        await pilot.press("s", "s")  # on from when they are done, by cost to the names
        await pilot.press("r")
        assert _first_cells(campaigns) == ["zinnia", "aster"]
        await pilot.press("slash", *"ast", "enter")
        assert _first_cells(campaigns) == ["aster"]
        assert _first_cells(top.query_one("#workers", DataTable)) == []
        await pilot.press("escape")
        assert top.query_one(Input).has_class("hidden")
        assert len(_first_cells(campaigns)) == 2
        for is_away in (True, False):
            top.ask_again()
            await _answered(top, pilot)
            away = top.query_one("#away", Static)
            assert away.has_class("hidden") is not is_away
            assert len(_first_cells(campaigns)) == 2
        await pilot.press("q")


async def _answered(top, pilot):
    await top.workers.wait_for_complete()
    await pilot.pause()


def _first_cells(table):
    return [str(table.get_row_at(k)[0]) for k in range(table.row_count)]
