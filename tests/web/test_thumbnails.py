"""Thumbnails on pages: parts of atlases, which many tiles share, or pictures asked for alone."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from actors.pictures.atlas import SIDE
from storage.tables import renders
from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.web.test_grid import PATH, opened
from tests.web.test_map import database  # noqa: F401

API = "/api/v1/campaigns/spring"
DRAWN = ".tile [data-drawn]"


@pytest.fixture
def painted(client, settings, database):  # noqa: F811
    client.submit(campaign())
    with ThreadPoolExecutor(1) as threads:
        paint_all(database, settings, fail=(5,), threads=threads)
    return client


def asked(look, part):
    return [address for address in look.requests if part in address]


def shade(page, number):
    """The mean colour in the middle of a tile, as somebody sees it."""
    tile = page.locator(f".tile[data-number='{number}']")
    pixels = np.asarray(Image.open(io.BytesIO(tile.screenshot())).convert("RGB"))
    height, width, _ = pixels.shape
    middle = pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    return middle.mean((0, 1))


def test_each_tile_shows_its_own_part_of_an_atlas(look, painted):
    page = opened(look, height=1600)
    page.locator(DRAWN).nth(16).wait_for()
    assert page.locator(".tile img").count() == 0
    assert not asked(look, "size=small")
    assert len(set(asked(look, "/atlases/"))) == 5  # of 18 pictures, in chunks of four at most
    for number in (0, 4, 9, 17):
        assert np.abs(shade(page, number) - number * 7 % 256).max() <= 6, number


def test_a_part_has_its_colour_before_its_atlas_is_there(look, painted):
    page = look.open("/")
    page.route("**/atlases/**", lambda route: None)  # they never come
    page.goto(look.url + PATH)
    page.locator(".tile .thumb").nth(16).wait_for()
    assert page.locator(DRAWN).count() == 0
    colours = page.eval_on_selector_all(".thumb", "e => e.map(t => t.style.backgroundColor)")
    assert "rgb(63, 63, 63)" in colours
    page.unroute("**/atlases/**")


@pytest.mark.parametrize("trouble", ["gone", "damaged"])
def test_a_tile_whose_atlas_cannot_be_read_asks_for_its_picture(look, painted, settings, trouble):
    outputs = settings.open_outputs()
    for key in list(outputs.keys("default/spring/atlases")):
        outputs.delete(key) if trouble == "gone" else outputs.put(key, b"RIFF no picture")
    page = opened(look)
    page.locator(".tile img").nth(16).wait_for()
    page.wait_for_function("() => document.querySelector('.tile img').naturalWidth > 0")
    assert page.locator(DRAWN).count() == 0
    look.troubles[:] = [one for one in look.troubles if "404" not in one]


def test_a_render_without_a_thumbnail_is_asked_for_alone(look, painted, database):  # noqa: F811
    with database.begin() as connection:
        connection.execute(update(renders).where(renders.c.number == 3).values(thumbnail=None))
    page = opened(look)
    page.locator(DRAWN).nth(15).wait_for()
    assert page.locator(".tile[data-number='3'] img").count() == 1
    assert page.locator(".tile img").count() == 1


def test_large_tiles_are_sharper_than_an_atlas(look, painted):
    page = opened(look, f"{PATH}?size=large")
    page.locator(".tile img").first.wait_for()
    assert page.locator(".tile .thumb").count() == 0


def test_scripts_know_the_sizes_that_are_made_and_drawn():
    static = files("farm.web").joinpath("static")
    made = f"const SIDE = {SIDE};"
    assert made in static.joinpath("thumbs.js").read_text()
    (strip,) = re.findall(r"const STRIP = (\d+);", static.joinpath("review.js").read_text())
    drawn = f".strip .tile {{ position: relative; flex: 0 0 {strip}px; width: {strip}px;"
    assert f"{drawn} height: {strip}px;" in static.joinpath("look.css").read_text()


def test_the_light_table_shows_parts_too(look, painted):
    page = look.open(f"{PATH}/review?view=table&show=all")
    page.locator(f"#table {DRAWN}").nth(16).wait_for()
    assert np.abs(shade(page, 9) - 63).max() <= 6


def test_an_atlas_can_be_kept_and_is_a_picture_of_its_campaign_alone(painted, http):
    cells = http.get(f"{API}/map/cells", params={"numbers": "4,5"}).json()
    told, missing = cells["thumbnails"]
    assert missing is None
    name, place, colour = told.split(":")
    assert (place.isdecimal(), colour) == (True, "1c1c1c")
    answer = http.get(f"{API}/atlases/{name}")
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    painted.submit(campaign(name="autumn"))
    for path in ("autumn", "none"):
        other = http.get(f"/api/v1/campaigns/{path}/atlases/{name}")
        assert other.status_code == 404, path
    assert http.get(f"{API}/atlases/{name}", params={"project": "other"}).status_code == 404


@pytest.mark.parametrize("name", ["x", "8x3-0123456789ab.webp", "..%2f..%2fsecret", "8x3-"])
def test_nothing_but_an_atlas_has_such_an_address(painted, http, name):
    assert http.get(f"{API}/atlases/{name}").status_code in (404, 422)
