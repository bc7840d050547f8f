"""The commands about drift, filmstrips and previews, on campaigns that a dispatcher painted."""

import pytest
from PIL import Image

from farm.api.serving import serve
from farm.app import open_app
from farm.client.client import Client
from farm.config import read_settings
from storage.database import open_database, upgrade
from storage.errors import RequestError
from tests.campaigns import campaign
from tests.farm.test_review_commands import misused, run, told

DRIFTING = {
    "prompt": "a mug {n}",
    "vary": {"n": list(range(24))},
    "seeds": [7],
    "settings": {"steps": 10},
    "drift": {"limit": 0.5, "action": "flag"},
    "previews": {"at": [0.4, 0.8]},
}


@pytest.fixture
def database_url(tmp_path):
    url = f"sqlite:///{tmp_path / 'farm.db'}"
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def farm(database_url, outputs, monkeypatch, tmp_path):
    """Serves the database and the outputs that `resting` paints into."""
    settings = read_settings(
        home=tmp_path / "home", database_url=database_url, outputs=str(tmp_path / "outputs")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_PROJECT", "p")
    with open_app(settings) as api, serve(api, 0) as url, Client(url, project="p") as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


@pytest.fixture
def drifting(farm, resting):
    resting(**DRIFTING)
    return farm


def test_a_calibration_is_a_row_a_step_and_remembered(drifting):
    said = run("drift", "calibrate", "spring")
    assert "Of pictures of seedling that end within 0.5 of their anchor" in said
    answer = told("drift", "calibrate", "spring", "--limit", "0.4")
    assert (answer["campaign"], answer["limit"]) == ("spring", 0.4)
    assert list(answer["steps"]) == ["0.4", "0.8"]
    for step in answer["steps"].values():
        assert step["pictures"] == 24
        assert step["limit"] is None or step["false_stops"] <= 0.01
    shown = told("models", "show", "seedling")
    assert shown["stops"] == {
        at: step for at, step in answer["steps"].items() if step["limit"] is not None
    }
    if shown["stops"]:
        assert "pictures that drift are stopped beyond" in run("models", "show", "seedling")


def test_what_stopping_saved_is_told_with_how_often_it_was_wrong(drifting, resting):
    stopping = {**DRIFTING, "drift": {"limit": 0.05, "action": "stop"}, "previews": None}
    resting(**{**stopping, "name": "stopping"})
    answer = told("drift", "show", "stopping")
    assert 0 < answer["stopped"] <= 24
    assert answer["wrongly_stopped"] is None
    said = run("drift", "show", "stopping")
    assert f"stopping: {answer['stopped']} pictures were stopped" in said
    assert "is not known: `farm drift calibrate` measures it." in said
    run("drift", "calibrate", "spring", "--limit", "0.9")
    answer = told("drift", "show", "stopping")
    if answer["wrongly_stopped"] is not None:
        assert "would have ended within the limit" in run("drift", "show", "stopping")


def test_a_campaign_without_drift_has_nothing_to_show_or_to_calibrate(farm, resting):
    resting(vary={"n": [1, 2, 3]})
    assert run("drift", "show", "spring") == "spring has no limit of drift."
    with pytest.raises(RequestError, match="give one with --limit"):
        run("drift", "calibrate", "spring")
    with pytest.raises(RequestError, match="nothing to calibrate by"):
        run("drift", "calibrate", "spring", "--limit", "0.3")
    assert "0.99" in misused("drift", "calibrate", "spring", "--limit", "1.5")


def test_a_filmstrip_is_drawn_into_a_file(drifting, tmp_path):
    whole = told("sheet", "spring", "--steps", "--out", tmp_path / "a" / "all.png")
    assert whole["sheet"] == str(tmp_path / "a" / "all.png")
    run("sheet", "spring", "--steps", "--where", "n=3", "--out", tmp_path / "one.png")
    with Image.open(tmp_path / "a" / "all.png") as every, Image.open(tmp_path / "one.png") as one:
        assert one.height < every.height
    with pytest.raises(RequestError, match="n=99"):
        run("sheet", "spring", "--steps", "--where", "n=99")
    (tmp_path / "taken").write_text("")
    with pytest.raises(RequestError, match="choose another place with"):
        run("sheet", "spring", "--steps", "--out", tmp_path / "taken" / "x.png")


def test_previews_are_pruned_once_somebody_says_yes(drifting):
    with pytest.raises(RequestError, match="name campaigns, or give an age"):
        run("prune", "--previews")
    for more in ("--all-projects", "--with-pictures"):
        with pytest.raises(RequestError, match="--previews goes with neither"):
            run("prune", "spring", "--previews", more)
    assert run("prune", "spring", "--previews", "--dry-run") == "48 previews would be removed."
    assert drifting.render("spring", 0)["previews"]
    answer = told("prune", "spring", "--previews", "--yes")
    assert answer["campaigns"] == [{"campaign": "spring", "files": 48}]
    assert drifting.render("spring", 0)["previews"] == []
    assert "0 previews removed." in run("prune", "spring", "--previews", "--yes")
    drifting.submit(campaign(**{**DRIFTING, "name": "young"}))
    said = run("prune", "young", "--previews", "--yes")
    assert said.startswith("young is spared.")
