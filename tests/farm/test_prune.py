"""Forgetting campaigns, with their pictures or without: what goes, what stays, and what a kill in
the middle leaves.
"""

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.service.pruning import Pruner
from farm.service.retention import Order
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound, OutputsAway, RequestError
from storage.outputs import FolderOutputs
from storage.removal import Removal
from tests.campaigns import campaign
from tests.farm.resting import paint

SMALL = {"vary": {"product": ["mug"], "color": ["red"]}, "previews": {"every": 10}}
LAMP = {**SMALL, "vary": {"product": ["lamp"], "color": ["red"]}}
FOLDER = pytest.mark.parametrize("place", ["folder"], indirect=True)


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    return (
        f"{request.getfixturevalue('bucket')}/farm"
        if request.param == "s3"
        else str(tmp_path / "outputs")
    )


@pytest.fixture
def settings(place, tmp_path, database_url):
    return read_settings(home=tmp_path / "home", outputs=place, database_url=database_url)


@pytest.fixture
def farm(settings, monkeypatch):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


@pytest.fixture
def store(settings):
    return settings.open_outputs()


@pytest.fixture
def change(engine):
    def run(statement, **values):
        with engine.begin() as connection:
            return connection.execute(text(statement), values)

    return run


@pytest.fixture
def painted(farm, settings):
    """Submits a campaign and paints it; returns the keys of its files, which are pictures,
    previews and a manifest.
    """

    def run(name="spring", **changes):
        farm.submit(campaign(name=name, **{**SMALL, **changes}), update=True)
        paint(settings, name)
        farm.save_manifest(name)
        return sorted(farm.files(name))

    return run


@pytest.fixture
def hold(change):
    """Let a render of a campaign be one that a person has to look at."""

    def run(name):
        change("UPDATE campaigns SET held = 1, done = done - 1 WHERE name = :name", name=name)

    return run


def command(*arguments, code=0, **more):
    result = CliRunner().invoke(app, ["prune", *arguments], **more)
    failed = isinstance(result.exception, RequestError)
    assert (2 if failed else result.exit_code) == code, (result.output, result.exception)
    return str(result.exception) if failed else result.output


def names(client):
    return sorted(row.campaign for row in client.campaigns())


# --- which ---


@FOLDER
def test_only_the_callers_own_project_is_pruned_unless_all_are_asked_for(farm, painted, change):
    painted("spring")
    painted("autumn")
    change("UPDATE campaigns SET project = 'shop' WHERE name = 'autumn'")
    with farm.of("shop") as shop:
        assert farm.prune(0).pruned == 1
        assert (names(farm), names(shop)) == ([], ["autumn"])
        command("--older-than", "0s", "--yes")
        assert names(shop) == ["autumn"]
        command("--older-than", "0s", "--all-projects", "--project", "shop", code=2)
        assert "shop/autumn" in command("--older-than", "0s", "--project", "shop", "--dry-run")
        assert farm.prune(0, all_projects=True).pruned == 1
        assert names(shop) == []


@FOLDER
def test_named_campaigns_are_forgotten_and_no_others(farm, painted):
    painted("spring")
    painted("autumn")
    with pytest.raises(NotFound, match=r"no campaign sprung.*Nothing is forgotten"):
        farm.prune(names=["spring", "sprung"])
    assert names(farm) == ["autumn", "spring"]
    with pytest.raises(RequestError, match="not both"):
        farm.prune(names=["spring"], all_projects=True)
    assert farm.prune(names=["spring"]).pruned == 1
    assert names(farm) == ["autumn"]


@FOLDER
def test_a_dry_run_says_what_would_go_and_changes_nothing(farm, painted, store):
    files = painted()
    answer = farm.prune(0, with_pictures=True, dry_run=True)
    assert [(c.campaign, c.renders, c.pictures) for c in answer.campaigns] == [("spring", 3, 3)]
    assert answer.campaigns[0].bytes == sum(line["bytes"] for line in farm.manifest("spring"))
    assert (answer.pruned, answer.files_removed) == (0, 0)
    assert "1 campaign would be forgotten" in command("spring", "--dry-run")
    assert names(farm) == ["spring"]
    assert sorted(store.keys("default/spring")) == files


@FOLDER
def test_a_campaign_with_held_renders_is_spared_and_the_answer_says_why(farm, painted, hold):
    painted("spring")
    painted("autumn")
    hold("autumn")
    answer = farm.prune(0)
    assert (answer.pruned, [(s.campaign, s.why[:18]) for s in answer.spared]) == (
        1,
        [("autumn", "1 render is held, ")],
    )
    assert "default/autumn is spared. 1 render is held" in command("--older-than", "0s", "--yes")
    assert farm.prune(names=["autumn"]).pruned == 1


@FOLDER
def test_a_named_campaign_that_is_not_over_is_spared_with_exit_code_1(farm):
    farm.submit(campaign(**SMALL))
    assert "It is not over, but queued" in command("spring", "--yes", code=1)
    assert names(farm) == ["spring"]


# --- asking ---


@FOLDER
def test_prune_asks_and_without_a_terminal_wants_yes(farm, painted, monkeypatch):
    painted()
    error = command("--older-than", "0s", code=2)
    assert error.startswith(
        "Forget 1 campaign? Their pictures stay. Nobody is there to answer: say --yes"
    )
    assert names(farm) == ["spring"]
    monkeypatch.setattr("farm.commands.shared.is_interactive", lambda: True)
    assert "default/spring: done, 3 renders, 3 pictures" in command(
        "--older-than", "0s", code=1, input="n\n"
    )
    assert names(farm) == ["spring"]
    command("--older-than", "0s", input="y\n")
    assert names(farm) == []
    assert "--older-than 30d" in command(code=2)


@FOLDER
def test_what_becomes_old_enough_while_a_person_is_asked_stays(
    farm, painted, settings, monkeypatch
):
    painted("spring")
    monkeypatch.setattr("farm.commands.prune.ask", lambda _question, yes: painted("autumn"))
    command("--older-than", "0s", "--yes")
    assert names(farm) == ["autumn"]


# --- pictures ---


def test_pictures_stay_and_the_answer_counts_them(farm, painted, store):
    files = painted()
    assert farm.prune(0).files_left == len(files) > 3
    assert sorted(store.keys("default/spring")) == files
    painted("autumn")
    said = command("autumn", "--yes")
    assert f"{len(files)} files kept as they are" in said
    painted()  # what stayed is taken up
    assert farm.prune(names=["spring"], with_pictures=True).files_removed == len(files)


@FOLDER
def test_a_farm_that_has_lost_its_outputs_can_still_forget(farm, painted, monkeypatch):
    painted()

    def keys(_self, _prefix):
        raise OutputsAway("away")

    monkeypatch.setattr(FolderOutputs, "keys", keys)
    answer = farm.prune(0)
    assert (answer.pruned, answer.files_left) == (1, None)


def test_with_pictures_every_file_that_the_farm_wrote_goes_and_what_people_put_there_stays(
    farm, painted, store, change
):
    files = {*painted(), *painted(prompt="a {color} {product} on white")}
    painted("spring-two")
    store.put("default/spring/notes.txt", b"mine")
    others = sorted(store.keys("default/spring-two"))
    answer = json.loads(command("spring", "--with-pictures", "--yes", "--json"))
    assert (answer["pruned"], answer["files_removed"], answer["files_left"]) == (1, len(files), 1)
    assert list(store.keys("default/spring")) == ["default/spring/notes.txt"]
    assert sorted(store.keys("default/spring-two")) == others
    assert change("SELECT name FROM campaigns").scalars().all() == ["spring-two"]
    assert farm.submit(campaign(**SMALL)).created


def test_what_renders_of_another_campaign_name_stays_with_its_previews(
    farm, painted, store, change
):
    files = painted("spring")
    painted("autumn", **LAMP)
    line = next(farm.manifest("spring"))
    change(
        "UPDATE renders SET key = :key WHERE number = 0 AND campaign_id = (SELECT id FROM"
        " campaigns WHERE name = 'autumn')",
        key=line["key"],
    )
    kept = sorted([line["key"], *line["previews"]])
    assert len(kept) > 1
    answer = farm.prune(names=["spring"], with_pictures=True)
    assert (answer.files_removed, answer.files_left) == (len(files) - len(kept), len(kept))
    assert sorted(store.keys("default/spring")) == kept
    assert names(farm) == ["autumn"]


@FOLDER
def test_a_copy_of_a_known_picture_outlives_it(farm, painted, store):
    painted("spring")
    painted("autumn")  # the same recipes
    farm.prune(names=["spring"], with_pictures=True)
    for line in farm.manifest("autumn"):
        assert len(store.read(line["key"], 1_000_000)) == line["bytes"]


def test_many_files_go_in_several_requests_and_pages(farm, painted, store, monkeypatch):
    files = painted() + painted("autumn")
    monkeypatch.setattr("farm.service.pruning._PAGE", 2)
    monkeypatch.setattr("farm.service.pruning._PER_REQUEST", 4)
    answer = farm.prune(names=["spring", "autumn"], with_pictures=True)
    assert (answer.pruned, answer.files_removed, answer.files_left, answer.more) == (
        2,
        len(files),
        0,
        False,
    )
    assert list(store.keys("default")) == []


# --- a kill in the middle ---


@pytest.fixture
def broken_off(farm, painted, settings, store, monkeypatch):
    """A removal with pictures that ended after two files; returns the keys of all."""
    files = painted()
    left = [2]
    with closing_engine(settings.database_address) as engine:
        pruner = Pruner(campaigns=Campaigns(engine), removal=Removal(engine), outputs=store)
        delete = store.delete

        def dying(key):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            delete(key)

        with monkeypatch.context() as patch:
            patch.setattr("farm.service.pruning._REMOVERS", 1)
            patch.setattr(store, "delete", dying)
            with pytest.raises(KeyboardInterrupt):
                pruner.prune("default", Order(names=frozenset(["spring"]), with_pictures=True))
    assert len(list(store.keys("default/spring"))) == len(files) - 2
    return files


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("spring",),
        ("spring", "--with-pictures"),
        ("--older-than", "30d"),
        ("--older-than", "30d", "--with-pictures"),
    ],
    ids=" ".join,
)
@FOLDER
def test_the_next_pruning_finishes_what_a_kill_has_left(farm, broken_off, store, arguments):
    assert "default/spring: removing" in command(*arguments, "--yes")
    assert list(store.keys("default/spring")) == []
    assert names(farm) == []
    assert farm.submit(campaign(**SMALL)).created


def test_a_removal_that_was_broken_off_is_finished_in_a_bucket_too(farm, broken_off, store):
    assert farm.prune().files_removed == len(broken_off) - 2
    assert list(store.keys("default/spring")) == []


@FOLDER
def test_while_it_is_removed_every_order_says_so_and_the_list_shows_it(farm, broken_off, tmp_path):
    assert [(row.campaign, row.state) for row in farm.campaigns()] == [("spring", "removing")]
    orders = (
        lambda: farm.submit(campaign(**SMALL)),
        lambda: farm.submit(campaign(**LAMP), update=True),
        lambda: farm.plan(campaign(**LAMP), update=True),
        lambda: farm.pause("spring"),
        lambda: farm.resume("spring"),
        lambda: farm.cancel("spring"),
        lambda: farm.retry("spring"),
        lambda: farm.status("spring"),
        lambda: farm.status("spring@1"),
        lambda: list(farm.manifest("spring")),
        lambda: farm.sheet("spring"),
        lambda: farm.clean("spring"),
        lambda: farm.repaint("spring", [0]),
    )
    for order in orders:
        with pytest.raises(
            RequestError,
            match=r"spring is being removed with its pictures. `farm prune spring` finishes",
        ):
            order()
    result = CliRunner().invoke(app, ["export", "spring", str(tmp_path / "there")])
    assert "is being removed" in str(result.exception)


@FOLDER
def test_a_campaign_that_goes_on_meanwhile_is_neither_marked_nor_forgotten(
    painted, farm, engine, change
):
    painted()
    row = Campaigns(engine).get("default", "spring")
    change("UPDATE campaigns SET finished_at = NULL")  # somebody has asked for a retry
    removal = Removal(engine)
    assert (removal.mark(row.id), removal.forget(row.id)) == (False, False)
    assert Campaigns(engine).get("default", "spring").pruned_at is None


# --- versions ---


@FOLDER
def test_old_versions_are_counted_and_forgotten_in_that_project_alone(farm, painted, change):
    painted()
    painted(prompt="a {color} {product} on white")
    change("UPDATE campaigns SET pruned_at = pruned_at - 100 WHERE version = 1")
    change("UPDATE campaigns SET finished_at = finished_at + 3600 WHERE version = 2")
    with farm.of("shop") as shop:
        assert shop.prune(60).versions == 0
    assert farm.prune(60, dry_run=True).versions == 1
    assert "1 version that updates have replaced" in command("--older-than", "1m", "--yes")
    assert [v.version for v in farm.versions("spring")] == [2]


@FOLDER
def test_another_campaign_of_the_name_does_not_take_over_the_versions(farm, painted, engine):
    painted()
    painted(prompt="a {color} {product} on white")
    Removal(engine).forget(Campaigns(engine).get("default", "spring").id)
    farm.submit(campaign(**SMALL))
    assert [v.version for v in farm.versions("spring")] == [1]
    farm.submit(campaign(**LAMP), update=True)
    assert [v.version for v in farm.versions("spring")] == [1, 2]
