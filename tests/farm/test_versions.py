"""Versions of a campaign: each update keeps what it replaces, with its pictures, and it can still
be read.
"""

import io
import json

import pytest
from PIL import Image
from sqlalchemy import text
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.client.export import export
from farm.config import read_settings
from storage.campaigns import Campaigns
from storage.errors import NotFound, RequestError, WorkError
from storage.outputs import open_outputs
from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.storage.conftest import prune_old

WHITE = {"prompt": "a {color} {product} on white"}


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings, monkeypatch):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


@pytest.fixture
def update(farm, settings, engine):
    """Put another version in place and paint it; returns the lines of its manifest."""

    def run(**changes):
        farm.submit(campaign(**changes), update=True)
        paint_all(engine, settings)
        return list(farm.manifest("spring"))

    return run


def command(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else str(result.exception)


def test_the_manifest_of_each_version_leads_to_its_own_pictures(farm, settings, update, tmp_path):
    versions = [
        update(),
        update(**WHITE),
        update(**WHITE, vary={"product": ["mug"], "color": ["red", "blue", "green"]}),
    ]
    for number, lines in enumerate(versions, start=1):
        assert list(farm.manifest(f"spring@{number}")) == lines
        assert farm.render(f"spring@{number}", lines[0]["number"]) == lines[0]
        folder = tmp_path / str(number)
        assert json.loads(command("export", f"spring@{number}", str(folder), "--json"))[
            "pictures"
        ] == len(lines)
        assert all(
            (folder / "final" / line["shot"] / f"{line['seed']}.png").is_file() for line in lines
        )
    assert not {line["key"] for line in versions[0]} & {line["key"] for line in versions[1]}
    assert (
        len({line["key"] for line in versions[1]} & {line["key"] for line in versions[2]}) == 6
    )  # kept as they are
    assert [v.version for v in farm.versions("spring")] == [1, 2, 3]
    assert [v.renders.done for v in farm.versions("spring")] == [18, 18, 9]
    assert [v.replaced_at is None for v in farm.versions("spring")] == [False, False, True]
    assert farm.status("spring").version == 3


def test_the_sheet_of_each_version_can_be_drawn(farm, update, tmp_path):
    update()
    before = farm.sheet("spring")
    update(vary={"product": ["mug"], "color": ["red", "blue"]}, settings={"size": "96x96"})
    assert farm.sheet("spring@1") == before
    assert farm.sheet("spring@2") == farm.sheet("spring") != before
    target = tmp_path / "one.png"
    command("sheet", "spring@1", "--out", str(target))
    assert target.read_bytes() == before


def test_what_a_version_never_painted_is_not_waited_for(farm, settings, engine):
    farm.submit(campaign())
    paint_all(engine, settings, chunks=1)
    farm.submit(campaign(**WHITE), update=True)
    assert len(list(farm.manifest("spring@1"))) == farm.versions("spring")[0].renders.done > 0
    Image.open(io.BytesIO(farm.sheet("spring@1"))).verify()
    assert farm.status("spring@1").state == "cancelled"
    assert "of 18 renders" in command("status", "spring@1")


def test_painting_the_same_again_makes_no_version(farm, settings, engine, update):
    lines = update()
    farm.submit(campaign(), fresh=True, update=True)
    paint_all(engine, settings)
    assert [line["key"] for line in farm.manifest("spring")] == [line["key"] for line in lines]
    assert [v.version for v in farm.versions("spring")] == [1]


def test_clean_says_what_is_gone_of_versions_and_leaves_what_the_present_one_has(
    farm, update, tmp_path
):
    update()
    update(vary={"product": ["mug"], "color": ["red", "blue"]})
    last = update(vary={"product": ["mug"], "color": ["red"]}, prompt="a {color} {product}, again")
    assert farm.clean("spring").removed == 18
    assert export(farm, "spring", open_outputs(str(tmp_path / "now"))).pictures == len(last) == 3
    with pytest.raises(WorkError, match="18 of 18 pictures were left out"):
        export(farm, "spring@1", open_outputs(str(tmp_path / "then")))
    Image.open(io.BytesIO(farm.sheet("spring@1"))).verify()  # with a mark in place of each picture


def test_clean_while_an_update_is_under_way_leaves_what_it_keeps(farm, settings, engine, update):
    lines = update()
    farm.submit(campaign(vary={"product": ["mug", "vase"], "color": ["red", "blue"]}), update=True)
    store = settings.open_outputs()
    assert farm.clean("spring").removed == 12
    assert {line["key"] for line in lines if "mug" in line["shot"]} <= set(
        store.keys("default/spring")
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spring@3", "has no version 3: there are 1, 2"),
        ("spring@0", "spring@NUMBER"),
        ("spring@", "spring@NUMBER"),
        ("spring@-1", "spring@NUMBER"),
        ("spring@one", "spring@NUMBER"),
        ("spring@1@2", "spring@NUMBER"),
        ("spring@99999999999", "spring@NUMBER"),
        ("autumn@1", "no campaign autumn"),
    ],
)
def test_versions_that_there_are_not_are_named(farm, update, name, words):
    update()
    update(**WHITE)
    with pytest.raises(RequestError, match=words):
        list(farm.manifest(name))
    assert words in command("sheet", name, code=1)


def test_only_the_present_version_takes_orders(farm, update):
    update()
    for arguments in (
        ("pause", "spring@1"),
        ("cancel", "spring@1"),
        ("verify", "spring@1"),
        ("clean", "spring@1"),
    ):
        assert "for all else write spring." in command(*arguments, code=1)


def test_versions_go_with_their_campaign_or_once_they_are_old(farm, settings, engine, update):
    campaigns = Campaigns(engine)
    for k in range(3):
        update(prompt=f"a {{color}} {{product}}, {k}")
    assert prune_old(engine, 60) == 0
    assert len(farm.versions("spring")) == 3
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE campaigns SET pruned_at = pruned_at - 100 WHERE version = 1")
        )
    assert prune_old(engine, 60) == 0
    assert [v.version for v in farm.versions("spring")] == [2, 3]
    assert update(prompt="a {color} {product}, 4")
    assert [v.version for v in farm.versions("spring")] == [2, 3, 4]  # no number stands for two
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE campaigns SET finished_at = finished_at - 100 WHERE version = 4")
        )
    assert prune_old(engine, 60) == 1
    with pytest.raises(NotFound):
        farm.versions("spring")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM campaigns")).scalar_one() == 0
    update()
    assert [(v.version, v.name) for v in campaigns.versions("default", "spring")] == [
        (1, "spring")
    ]
