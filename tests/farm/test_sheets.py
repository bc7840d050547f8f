"""Contact sheets as people and programs ask for them: the API, the client, the command."""

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
from tests.farm.test_reviews import PROOFED, paint_proofs


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings, monkeypatch):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


def command(*arguments, code=0):
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else str(result.exception)


def colors(png):
    return {color for _, color in Image.open(io.BytesIO(png)).getcolors(1 << 24)}


def test_a_matrix_has_every_picture_and_says_which_seed_is_which(farm, engine, settings):
    farm.submit(campaign(seeds=[7, 8, 9]))
    paint_all(engine, settings)
    sheets = {
        farm.sheet("spring", rows=rows, columns=columns)
        for rows, columns in (("color", "product"), ("seed", "color,product"), ("product", ""))
    }
    assert len(sheets) == 3
    for sheet in sheets:
        assert {(n * 7, n * 7, n * 7) for n in range(18)} <= colors(sheet)
    assert farm.sheet("spring", rows="product") == farm.sheet(
        "spring", rows="product", columns="seed"
    )
    with pytest.raises(RequestError, match="did you mean 'color'"):
        farm.sheet("spring", rows="colour")
    with pytest.raises(RequestError, match="one page, so page 2 cannot be drawn"):
        farm.sheet("spring", page=2)


def test_pages_of_a_large_campaign_are_drawn_one_by_one(farm, tmp_path):
    farm.submit(campaign(vary={"product": [f"p{k}" for k in range(70)], "color": ["red", "blue"]}))
    pages = list(farm.sheet_pages("spring", rows="product", columns="seed,color"))
    assert [(number, count) for number, count, _ in pages] == [(1, 3), (2, 3), (3, 3)]
    assert len({picture for _, _, picture in pages}) == 3
    assert farm.sheet("spring", rows="product", columns="seed,color", page=2) == pages[1][2]
    with pytest.raises(RequestError, match="has 3 pages: name one of them"):
        farm.sheet("spring", rows="product", columns="seed,color")
    layout = ("sheet", "spring", "--rows", "product", "--columns", "seed,color")
    told = json.loads(command(*layout, "--out", tmp_path / "s.png", "--json"))
    assert told["files"] == [str(tmp_path / f"s-{k}.png") for k in (1, 2, 3)]
    assert (tmp_path / "s-3.png").read_bytes() == pages[2][2]
    command(*layout, "--page", "2-3", "--out", tmp_path / "t.png")
    assert sorted(path.name for path in tmp_path.glob("t*")) == ["t-2.png", "t-3.png"]


def test_a_pdf_has_the_pages_that_are_asked_for(farm, tmp_path):
    farm.submit(campaign(vary={"product": [f"p{k}" for k in range(70)], "color": ["red", "blue"]}))
    target = tmp_path / "new" / "sheet.pdf"
    layout = ("sheet", "spring", "--rows", "product", "--columns", "color", "--out", target)
    command(*layout)
    assert target.read_bytes().count(b"/Subtype /Image") == 9
    command(*layout, "--page", "2-4")
    assert target.read_bytes().count(b"/Subtype /Image") == 3
    whole = target.read_bytes()
    assert "cannot be drawn" in command(*layout, "--page", "9-12", code=1)
    assert target.read_bytes() == whole  # a refusal loses nothing
    assert [path.name for path in target.parent.iterdir()] == ["sheet.pdf"]


def test_a_huge_campaign_has_pages_and_a_pdf_of_some_of_them(farm, monkeypatch):
    monkeypatch.setattr("farm.results.sheet_pages.MAX_CELLS", 100)
    farm.submit(campaign(vary={"product": ["mug"], "color": ["red"]}, seeds={"count": 20_000}))
    with pytest.raises(RequestError, match="one PDF at most 100"):
        farm.sheet_pdf("spring", io.BytesIO())
    with pytest.raises(RequestError, match="its 200 pages"):
        farm.sheet("spring")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "sheet.gif"), "a .png or a .pdf file"),
        (("--page", "0"), "name a page from 1"),
        (("--page", "3-"), "name a page from 1"),
        (("--page", "2-1"), "before the first one"),
        (("--page", "2"), "page 2 cannot be drawn"),
        (("--rows", "x" * 3_000), "at most 2,000"),
        (("--steps", "--rows", "color"), "takes neither"),
        (("--rows", "\u202ecolor"), "has no axis"),
    ],
)
def test_what_cannot_be_drawn_is_said(farm, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    farm.submit(campaign())
    assert words in command("sheet", "spring", *arguments, code=1)
    assert list(tmp_path.glob("*.png")) == []


def test_a_sheet_of_proofs_says_which_renders_have_none(farm, settings):
    farm.submit(campaign(**PROOFED | {"proof": {"steps": 4, "seeds": 1}}))
    with pytest.raises(NotFound):
        farm.sheet("summer", stage="proof")
    shown = colors(farm.sheet("spring", stage="proof"))
    assert {LOOKS[state].fill for state in (CellState.NO_PROOF, CellState.WAITING)} <= shown
    paint_proofs(settings)
    shown = colors(farm.sheet("spring", stage="proof"))
    assert LOOKS[CellState.NO_PROOF].fill in shown
    assert LOOKS[CellState.WAITING].fill not in shown


def test_finals_that_nobody_approved_say_so_and_verdicts_have_marks(farm, settings):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    before = farm.sheet("spring", stage="proof")
    assert LOOKS[CellState.WAITING].fill not in colors(farm.sheet("spring"))
    assert LOOKS[CellState.UNDECIDED].fill in colors(farm.sheet("spring"))
    farm.approve("spring", [0, 3])
    farm.reject("spring", [1, 2])
    shown = colors(farm.sheet("spring"))
    wanted = (CellState.UNDECIDED, CellState.WAITING, CellState.REJECTED)
    assert {LOOKS[state].fill for state in wanted} <= shown
    marked = farm.sheet("spring", stage="proof")
    assert marked != before
    farm.undo("spring")
    farm.undo("spring")
    assert farm.sheet("spring", stage="proof") == before


def test_a_picture_that_was_asked_for_again_shows_its_last_version(farm, engine, settings):
    farm.submit(campaign(vary={"product": ["mug"], "color": ["red"]}, seeds=[7, 8]))
    paint_all(engine, settings)
    before = np.asarray(Image.open(io.BytesIO(farm.sheet("spring", rows="seed", columns="color"))))
    farm.redo("spring", [1], next_seed=True)
    paint_all(engine, settings)
    after = np.asarray(Image.open(io.BytesIO(farm.sheet("spring", rows="seed", columns="color"))))
    blue = (after == (52, 78, 134)).all(axis=2)
    assert blue.sum() > 100  # the mark and the legend
    assert not (before == (52, 78, 134)).all(axis=2).any()
