"""What changed between two versions of a campaign: listed through the API and the command, and
drawn side by side.
"""

import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.results.sheet_cells import LOOKS, CellState
from storage.errors import NotFound, RequestError
from tests.campaigns import campaign
from tests.farm.test_api import paint_all

GREEN = {"vary": {"product": ["mug", "bottle", "lamp"], "color": ["red", "green"]}}


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
    def run(**changes):
        farm.submit(campaign(**changes), update=True)
        paint_all(engine, settings, name=changes.get("name", "spring"))

    return run


def command(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else str(result.exception)


def counts(line):
    return tuple(line["counts"][kind] for kind in ("kept", "changed", "new", "retired"))


def test_each_changed_cell_is_listed_with_its_pictures_and_the_last_line_counts_all(farm, update):
    update()
    update(**GREEN)
    *lines, last = farm.diff("spring@2", "spring@1")
    assert counts(last) == (9, 9, 0, 0)
    assert [last["old"], last["new"]] == [
        {"campaign": "spring", "version": 1},
        {"campaign": "spring", "version": 2},
    ]
    assert {line["kind"] for line in lines} == {"changed"}
    assert len(lines) == 9
    for line in lines:
        assert line["old"] == {
            **line["old"],
            "state": "done",
            "coordinates": {**line["new"]["coordinates"], "color": "blue"},
        }
        assert [change["words"] for change in line["changes"]] == ['prompt: "blue" -> "green"']
        assert farm.output(line["old"]["key"])
        assert farm.render("spring@2", line["new"]["number"])["key"] == line["new"]["key"]


def test_a_name_alone_is_compared_with_the_version_before(farm, update):
    update()
    update(**GREEN)
    update(**GREEN, settings={"guidance": 7.0})
    assert counts(list(farm.diff("spring"))[-1]) == (0, 18, 0, 0)
    assert (
        list(farm.diff("spring"))
        == list(farm.diff("spring", "spring@2"))
        == list(farm.diff("spring@3", "spring@2"))
    )
    assert list(farm.diff("spring@2")) == list(farm.diff("spring@2", "spring@1"))
    assert counts(list(farm.diff("spring", "spring"))[-1]) == (18, 0, 0, 0)


def test_two_campaigns_can_be_compared(farm, update):
    update()
    update(name="autumn", prompt="a {color} {product} among leaves")
    *lines, last = farm.diff("autumn", "spring")
    assert counts(last) == (0, 18, 0, 0)
    assert {change["words"] for line in lines for change in line["changes"]} == {
        'prompt: with "among leaves"'
    }


def test_a_limit_cuts_the_lines_and_not_the_counts(farm, update):
    update()
    update(**GREEN)
    assert len(list(farm.diff("spring", limit=4))) == 5
    assert counts(list(farm.diff("spring", limit=0))[-1]) == (9, 9, 0, 0)


def test_what_is_not_painted_yet_has_a_state_and_no_picture(farm, settings, engine, update):
    update()
    farm.submit(campaign(**GREEN), update=True)
    *lines, _ = farm.diff("spring")
    assert {
        (line["old"]["state"], line["new"]["state"], line["new"]["key"]) for line in lines
    } == {("done", "waiting", None)}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["spring@3"], "has no version 3: there are 1, 2"),
        (["spring@1"], "has no version before 1: there are 1, 2"),
        (["spring", "spring@7"], "has no version 7: there are 1, 2"),
        (["spring@7", "spring"], "has no version 7: there are 1, 2"),
        (["spring", "autumn"], "no campaign autumn"),
        (["spring@0"], "spring@NUMBER"),
        (["spring@1", "spring@x"], "spring@NUMBER"),
    ],
)
def test_versions_that_there_are_not_are_named(farm, update, names, words):
    update()
    update(**GREEN)
    assert words in command("diff", *names, code=1)
    with pytest.raises(RequestError, match=words):
        list(farm.diff(*reversed(names)))
    with pytest.raises(RequestError, match=words):
        farm.diff_sheet(*reversed(names))


def test_a_campaign_of_one_version_has_nothing_to_be_compared_with(farm, update):
    update()
    with pytest.raises(NotFound, match="no version before 1: there is 1"):
        farm.diff_sheet("spring")


def test_the_command_lists_the_changed_cells_and_ends_with_the_counts(farm, update):
    update()
    update(
        vary={"product": ["mug", "lamp", "vase"], "color": ["red", "blue"]},
        prompt="one {color} {product}",
    )
    told = command("diff", "spring@1", "spring@2")
    assert "mug, red, seed" in told
    assert "bottle -> vase, blue, seed" in told
    assert told.endswith("spring@1 to spring@2: 0 kept, 18 changed, 0 new, 0 retired.\n")
    told = command("diff", "spring", "--limit", "2")
    assert told.count(" mug, ") == 2
    assert "16 more are not listed" in told
    assert (
        command("diff", "spring", "spring")
        == "spring@2 to spring@2: 18 kept, 0 changed, 0 new, 0 retired.\n"
    )


def test_the_command_says_the_same_as_json(farm, update, tmp_path):
    update()
    update(**GREEN)
    lines = [json.loads(line) for line in command("diff", "spring", "--json").splitlines()]
    *others, last = farm.diff("spring")
    assert lines == [*others, {**last, "image": None}]
    target = tmp_path / "folder" / "diff.png"
    drawn = command("diff", "spring", "--json", "--image", str(target)).splitlines()
    assert json.loads(drawn[-1])["image"] == str(target)
    assert target.read_bytes() == farm.diff_sheet("spring")


def test_the_picture_has_each_changed_cell_old_and_new(farm, settings, engine, update):
    update()
    update(prompt="one {color} {product}", settings={"size": "96x64"})
    picture = np.asarray(Image.open(io.BytesIO(farm.diff_sheet("spring"))))
    for number in range(
        2,
        18,
        # both versions have a picture of this shade, the first of 128x128 and the second as
        # paint_all makes it
    ):
        shade = (picture == number * 7).all(axis=2)
        assert shade.sum() > 500
    assert Image.open(io.BytesIO(farm.diff_sheet("spring", limit=1))).size[1] < picture.shape[0]


def test_the_picture_shows_the_states_of_missing_ones(farm, settings, engine, update):
    update()
    store = settings.open_outputs()
    keys = [line["key"] for line in farm.manifest("spring")]
    store.delete(keys[0])
    farm.submit(campaign(prompt="one {color} {product}"), update=True)
    picture = Image.open(io.BytesIO(farm.diff_sheet("spring")))
    colors = {color for _, color in picture.getcolors(1 << 24)}
    assert {LOOKS[CellState.LOST].fill, LOOKS[CellState.WAITING].fill} <= colors


def test_a_picture_of_no_changes_says_so(farm, update):
    update()
    picture = Image.open(io.BytesIO(farm.diff_sheet("spring", "spring")))
    assert picture.size[1] < 200


def test_neither_limit_nor_name_that_cannot_be_meant_is_taken(farm, update):
    update()
    with pytest.raises(RequestError, match="limit"):
        farm.diff_sheet("spring", limit=0)
    with pytest.raises(RequestError):
        list(farm.diff("spring", limit=-1))
    with pytest.raises(RequestError):
        list(farm.diff("spring", "x" * 101))
