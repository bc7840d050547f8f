"""Files that no render has any more: counted by `verify`, removed by `clean`, and nothing else
is.
"""

import json

import pytest
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.service.leftovers import Leftovers
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound, RequestError
from storage.reviews import Reviews
from tests.campaigns import campaign
from tests.farm.resting import paint

OLD = {
    "settings": {"steps": 4},
    "previews": {"every": 2},
    "vary": {"product": ["mug", "lamp"], "color": ["red"]},
}
NEW = {**OLD, "vary": {"product": ["mug"], "color": ["red"]}}


@pytest.fixture(params=["folder", "s3"])
def settings(request, tmp_path):
    outputs = (
        f"{request.getfixturevalue('bucket')}/farm"
        if request.param == "s3"
        else str(tmp_path / "outputs")
    )
    return read_settings(home=tmp_path / "home", outputs=outputs)


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def command(farm, monkeypatch):
    monkeypatch.setenv("FARM_URL", farm.url)

    def run(*arguments, code=0):
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout.splitlines()[-1]) if code < 2 else result.exception

    return run


@pytest.fixture
def retired(farm, settings):
    """The keys of what an update has retired: three pictures of a lamp, with a preview each."""
    farm.submit(campaign(**OLD))
    paint(settings, "spring")
    lines = list(farm.manifest("spring"))
    farm.submit(campaign(**NEW), update=True)
    return sorted(
        key for line in lines if "lamp" in line["shot"] for key in (line["key"], *line["previews"])
    )


@pytest.fixture
def atlas(settings):
    """Gives the key of the one atlas that only lamps have."""

    def of():
        store = settings.open_outputs()
        with closing_engine(settings.database_address) as engine:
            known = Campaigns(engine)
            kept = {o.thumbnail for o, _, _ in known.outcomes(known.get("default", "spring").id)}
        names = {thumbnail.partition(":")[0] for thumbnail in kept}
        (only,) = (
            key
            for key in store.keys("default/spring/atlases")
            if not any(name in key for name in names)
        )
        return only

    return of


def test_what_an_update_retired_is_a_count_and_no_fault(farm, settings, retired, command):
    assert command("verify", "spring") == {
        "campaign": "spring",
        "files": 6,
        "painted_again": 0,
        "wrong": 0,
        "repaired": 0,
        "retired": 6,
    }
    told = CliRunner().invoke(app, ["verify", "spring"])
    assert told.exit_code == 0
    assert "6 retired files lie beside them" in told.stdout
    assert "`farm clean spring`" in told.stdout


def test_clean_removes_them_and_nothing_else(farm, settings, retired, atlas, command):
    store = settings.open_outputs()
    retired = [atlas(), *retired]
    farm.save_manifest("spring")
    for key in (
        "default/spring/notes.txt",
        retired[1].removesuffix(".png") + "-copy.png",
        "default/spring-two/final/a_0123456789abcdef/1.png",
    ):
        store.put(key, b"mine")
    before = sorted(store.keys("default"))
    assert command("clean", "spring", "--dry-run") == {
        "campaign": "spring",
        "files": 7,
        "first": retired[:5],
        "removed": 0,
    }
    assert sorted(store.keys("default")) == before
    assert command("clean", "spring", "--yes")["removed"] == 7
    assert sorted(store.keys("default")) == [key for key in before if key not in retired]
    assert command("clean", "spring", "--yes")["removed"] == 0
    summary = command("verify", "spring", code=1)
    assert (summary["retired"], summary["wrong"]) == (0, 2)  # a person's own files are still named


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
def test_clean_asks_first(farm, settings, retired, command, monkeypatch):
    store = settings.open_outputs()
    refused = CliRunner().invoke(app, ["clean", "spring"])
    assert isinstance(refused.exception, RequestError)
    assert str(refused.exception).startswith(
        "Remove 7 files of spring that no render has any more?"
    )
    assert "--yes" in str(refused.exception)
    monkeypatch.setattr("farm.commands.shared.is_interactive", lambda: True)
    assert CliRunner().invoke(app, ["clean", "spring"], input="n\n").exit_code == 1
    assert set(retired) <= set(store.keys("default"))
    assert CliRunner().invoke(app, ["clean", "spring"], input="y\n").exit_code == 0
    assert not set(retired) & set(store.keys("default"))


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
def test_while_a_campaign_is_under_way_the_places_of_its_renders_are_left_alone(
    farm, settings, retired, command
):
    """A worker may have written what no row says yet."""
    again = {**OLD, "vary": {"product": ["mug", "vase"], "color": ["red"]}}
    farm.submit(campaign(**again), update=True)
    places = [line["key"].replace("mug", "vase") for line in farm.manifest("spring")]
    store = settings.open_outputs()
    expansion_places = sorted(
        Leftovers(campaigns=None, reviews=None, outputs=store)._places(_row(settings))
    )
    late = f"{next(place for place in expansion_places if 'vase' in place)}.png"
    store.put(late, b"just written")
    assert places
    assert command("clean", "spring", "--yes")["removed"] == 6
    assert late in store.keys("default/spring")
    with pytest.raises(NotFound):
        farm.clean("autumn")


def _row(settings):
    with closing_engine(settings.database_address) as engine:
        return Campaigns(engine).get("default", "spring")


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
def test_files_of_another_format_are_retired_and_can_be_removed(farm, settings, retired, command):
    farm.submit(campaign(**NEW, output={"format": "webp"}), update=True)
    paint(settings, "spring")
    assert command("verify", "spring")["retired"] == 6 + 6
    assert command("clean", "spring", "--yes")["removed"] == 12 + 2  # and their atlases
    assert {key.rpartition(".")[2] for key in settings.open_outputs().keys("default/spring")} == {
        "webp"
    }


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
def test_a_campaign_that_is_replaced_while_it_is_cleaned_keeps_its_files(
    farm, settings, retired, monkeypatch
):
    with closing_engine(settings.database_address) as engine:
        campaigns, store = Campaigns(engine), settings.open_outputs()
        leftovers, deleted = (
            Leftovers(campaigns=campaigns, reviews=Reviews(engine), outputs=store),
            [],
        )
        monkeypatch.setattr("farm.service.leftovers._AT_ONCE", 2)

        def delete(key):
            deleted.append(key)
            if len(deleted) == 2:
                farm.submit(campaign(**OLD), update=True)

        monkeypatch.setattr(store, "delete", delete)
        with pytest.raises(
            RequestError,
            match=r"changed after 2 files were removed: run `farm clean spring` again",
        ):
            leftovers.clean("default", "spring")
    assert len(deleted) == 2
