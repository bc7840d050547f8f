"""Damaged and missing files: painted again by the same recipes and put in their places, and
nothing else is touched.
"""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from actors.painting.resting import RestingEngine
from actors.pictures import files as encode
from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.client.export import export
from farm.client.inspection import inspect, repair
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound, RequestError, WorkError
from storage.outputs import open_outputs
from tests.campaigns import campaign
from tests.farm.resting import paint
from tests.farm.test_api import paint_all

SMALL = {"settings": {"steps": 6}, "previews": {"every": 2}}


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def submit(farm, settings):
    """Submit a campaign of eighteen renders and paint it; returns its lines."""

    def run(**changes):
        farm.submit(campaign(**{**SMALL, **changes}))
        paint(settings, "spring")
        return list(farm.manifest("spring"))

    return run


@pytest.fixture
def files(settings):
    """Every file of the outputs with its time and content."""

    def look():
        root = settings.home / "outputs"
        return {
            str(p.relative_to(root)): (
                p.stat().st_mtime_ns,
                hashlib.sha256(p.read_bytes()).hexdigest(),
            )
            for p in root.rglob("*")
            if p.is_file()
        }

    return look


class Mending:
    """Repairs what is damaged, by workers that rest; remembers what they painted and what was
    told.
    """

    def __init__(self, farm, settings, engine=None):
        self.farm, self.settings, self.engine = farm, settings, engine
        self.painted, self.told = [], []

    def tell(self, key, problem):
        self.told.append((key, problem))

    def follow(self, name):
        self.painted += paint(self.settings, name, self.engine)
        return self.farm.status(name)

    def repair(self):
        seen = inspect(self.farm, "spring", self.tell)
        return repair(self.farm, "spring", seen.damaged, self.follow, self.tell)

    def inspect(self):
        seen = inspect(self.farm, "spring", self.tell)
        return seen.wrong + seen.strangers


@pytest.fixture
def mending(farm, settings):
    return Mending(farm, settings)


def damage(settings, lines):
    """Of four renders: a file cut off, one gone, one that another's was copied to, and one whose
    preview is gone.
    """
    root = settings.home / "outputs"
    cut, gone, other, without = lines[2], lines[5], lines[9], lines[12]
    (root / cut["key"]).write_bytes((root / cut["key"]).read_bytes()[:70])
    (root / gone["key"]).unlink()
    (root / other["key"]).write_bytes((root / lines[0]["key"]).read_bytes())
    (root / without["previews"][1]).unlink()
    return [2, 5, 9, 12]


@pytest.mark.parametrize(
    "output",
    [
        {},
        {"output": {"format": "webp"}},
        {"output": {"format": "jpg"}},
        {"output": {"format": "jxl"}},
    ],
)
def test_exactly_what_is_damaged_or_missing_is_painted_again(
    farm, settings, submit, mending, files, output
):
    lines = submit(**output)
    farm.save_manifest("spring")
    before = files()
    numbers = damage(settings, lines)
    assert mending.repair() == 0
    assert mending.painted == numbers
    after = files()
    assert {name: content for name, (_, content) in after.items()} == {
        name: content for name, (_, content) in before.items()
    }
    touched = {name for name in after if after[name] != before[name]} - {
        "default/spring/manifest.jsonl"
    }
    assert touched == {name for n in numbers for name in (lines[n]["key"], *lines[n]["previews"])}
    assert list(farm.manifest("spring")) == lines
    assert [row.campaign for row in farm.campaigns()] == [
        "spring"
    ]  # the repair has gone with its files
    assert sorted(path.name for path in (settings.home / "outputs" / "default").iterdir()) == [
        "spring"
    ]
    mending.told.clear()
    assert (mending.inspect(), mending.told) == (0, [])
    assert export(farm, "spring", open_outputs(str(settings.home / "exported"))).pictures == 18


def test_a_preview_that_is_damaged_is_seen(farm, settings, submit, mending):
    lines = submit()
    key = lines[3]["previews"][0]
    path = settings.home / "outputs" / key
    path.write_bytes(path.read_bytes()[:40])
    assert mending.inspect() == 1
    assert mending.told == [(key, "it is not a picture any more, or not a whole one.")]
    assert mending.repair() == 0


def test_a_picture_that_was_edited_and_keeps_its_record_is_painted_again(
    farm, settings, submit, mending
):
    """What a format that gives pixels up holds cannot be compared with the picture as it was
    painted, but its bytes are known.
    """
    line = submit(output={"format": "jpg"})[4]
    path = settings.home / "outputs" / line["key"]
    was = path.read_bytes()
    record = encode.read(was).record
    path.write_bytes(
        encode.write(
            np.zeros((8, 8, 3), np.uint8), record, "", campaign(output={"format": "jpg"}).encoding
        )
    )
    assert mending.repair() == 0
    assert mending.painted == [4]
    assert path.read_bytes() == was


def test_what_comes_out_with_other_pixels_is_not_put_in_its_place(farm, settings, submit, files):
    """By a worker whose pixels are others: the file stays missing, and that is said."""
    line = submit()[5]
    (settings.home / "outputs" / line["key"]).unlink()
    before = files()

    class Other(RestingEngine):
        def paint(self, recipes, *args, **kwargs):
            painted = super().paint(recipes, *args, **kwargs)
            return replace(painted, pixels=[255 - pixels for pixels in painted.pixels])

    mending = Mending(farm, settings, Other(0.0))
    assert mending.repair() == 1
    assert mending.told[-1] == (
        line["key"],
        "painted again it has other pixels, in the same numerics class (resting).",
    )
    after = files()
    del after["default/spring/manifest.jsonl"]
    assert after == before
    assert (
        Mending(farm, settings).repair() == 0
    )  # nothing of the attempt is in the way of the next


def test_the_bytes_of_another_version_are_recorded(farm, settings, submit, mending, monkeypatch):
    line = submit()[5]
    (settings.home / "outputs" / line["key"]).unlink()
    monkeypatch.setattr("actors.painting.writing._versions", lambda: {"torch": "another"})
    assert mending.repair() == 0
    now = farm.render("spring", 5)
    assert (now["pixels"], now["sha256"] == line["sha256"]) == (line["pixels"], False)
    assert mending.inspect() == 0
    assert (
        json.loads(
            (settings.home / "outputs/default/spring/manifest.jsonl").read_text().splitlines()[5]
        )
        == now
    )


def test_a_repair_that_was_broken_off_goes_on(farm, settings, submit, mending):
    """First the client ends once it has ordered it, then while files take their places; each time
    the next one goes on.
    """
    lines = submit()
    numbers = damage(settings, lines)

    def end(_name):
        raise KeyboardInterrupt

    seen = inspect(farm, "spring", mending.tell)
    with pytest.raises(KeyboardInterrupt):
        repair(farm, "spring", seen.damaged, end, mending.tell)
    (settings.home / "outputs" / lines[15]["key"]).unlink()  # meanwhile one more
    assert mending.repair() == 0
    assert mending.painted == [*numbers, 15]

    damage(settings, lines)
    seen = inspect(farm, "spring", mending.tell)
    begun = farm.repair("spring", list(seen.damaged))
    paint(settings, begun.campaign)
    store = settings.open_outputs()
    store.copy(
        f"default/{begun.campaign}/{lines[5]['key'].removeprefix('default/spring/')}",
        lines[5]["key"],
    )
    mending.painted.clear()
    assert mending.repair() == 0
    assert mending.painted == []  # all of it was painted already
    assert mending.inspect() == 0
    assert [row.campaign for row in farm.campaigns()] == ["spring"]


def test_the_budget_that_a_campaign_has_spent_does_not_keep_its_files_from_being_repaired(
    farm, settings, submit, mending
):
    line = submit(budget={"gpu_hours": 1e-9})[0]
    with closing_engine(settings.database_address) as engine:
        Campaigns(engine).halt(
            Campaigns(engine).get("default", "spring").id, "Its budget is spent."
        )
    (settings.home / "outputs" / line["key"]).unlink()
    assert mending.repair() == 0
    with closing_engine(settings.database_address) as engine:
        assert Campaigns(engine).get("default", "spring").budget_s is not None


def test_a_reference_is_read_from_the_outputs(farm, settings, submit, mending, tmp_path):
    """Where it came from, it may be gone or another by now."""
    source = tmp_path / "teal.png"
    Image.new("RGB", (128, 128), "teal").save(source)
    lines = submit(
        reference={"image": str(source), "strength": 0.6},
        vary={"color": ["red"], "product": ["mug"]},
    )
    assert [len(line["previews"]) for line in lines] == [1] * 3
    Image.new("RGB", (128, 128), "red").save(source)
    (settings.home / "outputs" / lines[1]["key"]).unlink()
    assert mending.repair() == 0

    (kept,) = (settings.home / "outputs/default/references").iterdir()
    kept.write_bytes(b"damaged")
    (settings.home / "outputs" / lines[1]["key"]).unlink()
    with pytest.raises(RequestError, match="is not in the outputs any more, nor is it as it was"):
        mending.repair()
    Image.new("RGB", (128, 128), "teal").save(source)
    assert mending.repair() == 0
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name  # mended with it


def test_what_is_not_done_cannot_be_repaired(farm, settings):
    farm.submit(campaign())
    with pytest.raises(RequestError, match="render 3 of spring is not done"):
        farm.repair("spring", [3])
    with pytest.raises(NotFound):
        farm.repair("autumn", [0])
    with pytest.raises(NotFound):
        farm.put_back("spring")


def test_a_repair_that_is_stopped_says_why_and_can_go_on(farm, settings, submit, mending):
    line = submit()[5]
    (settings.home / "outputs" / line["key"]).unlink()

    def stop(name):
        with closing_engine(settings.database_address) as engine:
            Campaigns(engine).halt(Campaigns(engine).get("default", name).id, "The disk is full.")
        return farm.status(name)

    seen = inspect(farm, "spring", mending.tell)
    with pytest.raises(
        WorkError, match=r"The disk is full. `farm verify spring --repair` goes on"
    ):
        repair(farm, "spring", seen.damaged, stop, mending.tell)
    assert mending.repair() == 0


def test_a_campaign_that_only_has_the_name_of_a_repair_is_left_alone(
    farm, settings, submit, mending
):
    lines = submit()
    with closing_engine(settings.database_address) as engine:
        name = f"spring-repair-{Campaigns(engine).get('default', 'spring').id}"
    farm.submit(campaign(name=name))
    (settings.home / "outputs" / lines[5]["key"]).unlink()
    for order in (mending.repair, lambda: farm.put_back("spring")):
        with pytest.raises(RequestError, match="no repair of spring is in the way"):
            order()
    assert farm.status(name).renders.total == 18


def test_a_version_that_took_its_place_meanwhile_keeps_its_files(
    farm, settings, submit, mending, files
):
    """The repair of the version before must not lie over a picture of the new one."""
    lines = submit()
    (settings.home / "outputs" / lines[5]["key"]).unlink()
    begun = farm.repair("spring", [5])
    paint(settings, begun.campaign)
    farm.submit(campaign(**{**SMALL, "settings": {"steps": 7}}), update=True)
    paint(settings, "spring")
    before = files()
    with pytest.raises(NotFound):
        farm.put_back("spring")
    assert files() == before
    assert mending.inspect() == 0


def test_the_command_repairs_and_counts(farm, settings, submit, monkeypatch):
    lines = submit()
    damage(settings, lines)
    monkeypatch.setenv("FARM_URL", farm.url)
    monkeypatch.setattr(
        "farm.commands.files.follow",
        lambda client, name, **_: paint(settings, name) and client.status(name),
    )
    result = CliRunner().invoke(app, ["verify", "spring", "--repair", "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    *problems, summary = map(json.loads, result.stdout.splitlines())
    assert len(problems) == 4
    assert summary == {
        "campaign": "spring",
        "files": 54,
        "painted_again": 0,
        "wrong": 0,
        "repaired": 4,
        "retired": 0,
    }
    result = CliRunner().invoke(app, ["verify", "spring", "--repair"])
    assert (
        "spring: 54 files looked at, 0 renders painted again, 0 wrong, 0 repaired."
        in result.stdout
    )
    damage(settings, lines)
    result = CliRunner().invoke(app, ["verify", "spring"])
    assert result.exit_code == 1
    assert (
        "`farm verify spring --repair` paints again what is damaged or missing." in result.stdout
    )


# --- trying again what cannot be tried again ---


def test_a_retry_that_queues_nothing_says_why(farm, settings, submit):
    submit()
    with pytest.raises(
        RequestError, match=r"render 4 of spring is done, .* `farm verify spring --repair`"
    ):
        farm.retry("spring", render=4)
    answer = farm.retry("spring")
    assert answer.retried == 0
    (why,) = answer.why
    assert why.startswith("No render of spring failed or is held: 18 done.")
    assert "`farm verify spring --repair`" in why
    farm.submit(campaign(name="autumn"))
    assert farm.retry("autumn").why == ["No render of autumn failed or is held: 18 queued."]
    assert farm.retry("autumn", render=2).why == [
        "The render 2 of autumn has not ended: it waits or is being painted already."
    ]
    assert farm.retry("autumn", failed=False, held=False).why == [
        "Neither failed nor held renders were asked for."
    ]


def test_a_retry_of_the_other_kind_names_it(farm, settings):
    farm.submit(campaign())
    with closing_engine(settings.database_address) as engine:
        paint_all(engine, settings, fail={3, 4})
    assert farm.retry("spring", failed=False).why == [
        "No render of spring is held, but 2 failed: `farm retry spring --failed`."
    ]
    with pytest.raises(
        RequestError,
        match="render 4 of spring failed: `farm retry spring/4 --failed` tries it again",
    ):
        farm.retry("spring", failed=False, render=4)
