"""What a person with a browser waits for on the pages of large campaigns, in a real Chromium whose
window shows some hundred tiles.
"""

import gzip
import io
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
from PIL import Image

from actors.pictures.atlas import atlases, thumbnail
from actors.pictures.files import Pixels
from farm.app import embedded_farm
from farm.bench.figures import Json, machine, spread, spreads
from farm.bench.load import percentile
from farm.config import Settings, read_settings
from farm.connect import client_of
from storage.bench.campaigns import add_painted
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import RequestError
from storage.keys import atlas_key

RENDERS = (100_000, 1_000_000)
_SIDE = 512  # of the pictures from which thumbnails are made
_FILES = 400
_SEEDS = 10
_HELD_KEY_S = 0.1
_DECISIONS = 30
_SCREENS = 200
_ASK_S = 0.2
_WINDOW = {"width": 1280, "height": 800}
_SEEN = """() => {
    const tiles = [...document.querySelectorAll('.tile')].filter((tile) => {
        const box = tile.getBoundingClientRect();
        return box.bottom > 0 && box.top < innerHeight;
    });
    return tiles.length > 0 && tiles.every((tile) => {
        const image = tile.querySelector('img');
        return tile.querySelector('[data-drawn]') || (image?.complete && image.naturalWidth > 0);
    });
}"""
_AT_END = """(last) => {
    const tile = document.querySelector(`.tile[data-number="${last}"]`);
    return tile?.querySelector('[data-drawn]') || tile?.querySelector('img')?.naturalWidth > 0;
}"""


def measure(*, rounds: int, renders: Sequence[int] = RENDERS, work: Path | None = None) -> Json:
    """Open a finished campaign for each number of renders, `rounds` times, each in a new browser
    profile. Raises RequestError if there is no Chromium, or nothing to drive it.
    """
    figures: dict[str, Json] = {}
    with TemporaryDirectory(prefix="farm-web-", dir=work) as folder, _chromium() as browser:
        settings = read_settings(home=Path(folder) / "home", rate="1000000/second")
        with embedded_farm(settings, port=0) as farm:
            for count in renders:
                _fill(settings, farm.url, count)
            for count in renders:
                each = [_looked(browser, farm.url, count) for _ in range(rounds)]
                found = spreads(each)
                figures |= {f"{name}.{count}": value for name, value in found.items()}
    figures["scripts_and_styles_kb"] = spread([_assets_kb()])
    setup = {"rounds": rounds, "side": _SIDE, "window": "{width}x{height}".format(**_WINDOW)}
    return {"bench": "web", "machine": machine(), "setup": setup, "figures": figures, "peers": {}}


@contextmanager
def _chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        # Of the developers' dependencies: nothing else drives a browser.
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError as exc:
        raise RequestError("Pages are measured with playwright: pip install playwright.") from exc
    if path is None:
        raise RequestError("Pages are measured in Chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def _fill(settings: Settings, url: str, count: int) -> None:
    """Store a campaign whose `count` renders are all done, and their files."""
    name = f"c{count}"
    vary = {"place": {"range": [1, count // _SEEDS // 20, 1]}, "look": {"range": [1, 20, 1]}}
    with client_of(settings, url) as client:
        client.submit(
            {
                "name": name, "model": "seedling", "prompt": "a mug in {place}, {look}",
                "vary": vary, "seeds": {"count": _SEEDS},
            }
        )  # fmt: skip
    outputs, noise = settings.open_outputs(), np.random.default_rng(0)
    small: dict[int, Pixels] = {}
    places: dict[int, str] = {}
    for k in range(_FILES):
        coarse = noise.integers(0, 255, (16, 16, 3), np.uint8)
        file, image = io.BytesIO(), Image.fromarray(coarse).resize((_SIDE, _SIDE))
        image.save(file, "PNG", compress_level=1)
        outputs.put(f"default/{name}/{k}.png", file.getvalue())
        small[k] = thumbnail(np.asarray(image))
    for atlas in atlases(small):
        outputs.put(atlas_key("default", name, atlas.name), atlas.data)
        places |= atlas.places()
    with closing_engine(settings.database_address) as engine:
        row = Campaigns(engine).get("default", name)
        thumbnails = [places[k] for k in range(_FILES)]
        add_painted(engine, row.id, row.total, f"default/{name}/{{}}.png", thumbnails)


def _looked(browser: Any, url: str, count: int) -> dict[str, float]:
    """One person's look at a campaign, in milliseconds but for what says otherwise."""
    with ExitStack() as stack:
        context = browser.new_context(viewport=_WINDOW)
        stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(120_000)
        began = time.perf_counter()
        page.goto(f"{url}/campaigns/default/c{count}")
        page.wait_for_function(_SEEN)
        first_screen_ms = _since(began)
        first_byte_ms = page.evaluate(
            "performance.getEntriesByType('navigation')[0].responseStart"
        )
        page.locator(".tile[tabindex='0']").focus()
        began = time.perf_counter()
        page.keyboard.press("Control+End")
        page.locator(f".tile[data-number='{count - 1}']").wait_for()
        jump_ms = _since(began)
        page.wait_for_function(_AT_END, arg=count - 1)
        jump_with_picture_ms = _since(began)
        page.keyboard.press("Control+Home")
        others = stack.enter_context(_asking(f"{url}/api/v1/campaigns"))
        for _ in range(_SCREENS):
            page.keyboard.press("PageDown")
        page.wait_for_function(_SEEN)
        heap = context.new_cdp_session(page).send("Runtime.getHeapUsage")
        lost = _decisions_lost(page, url, count)
        return {
            "first_byte_ms": first_byte_ms,
            "first_screen_ms": first_screen_ms,
            "jump_ms": jump_ms,
            "jump_with_picture_ms": jump_with_picture_ms,
            "decisions_lost": lost,
            "heap_mb": heap["usedSize"] / 2**20,
            "others_p99_ms": percentile(others, 0.99),
        }


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _decisions_lost(page: Any, url: str, count: int) -> int:
    """How many decisions of a key that is pressed ten times a second do not reach the farm."""
    path = f"{url}/api/v1/campaigns/c{count}/reviews"
    before = httpx.get(path, timeout=60).json()["approved"]
    page.goto(f"{url}/campaigns/default/c{count}/review")
    page.locator(".pane[data-loaded=yes], .table .tile :is(img, i)").first.wait_for()
    for _ in range(_DECISIONS):
        page.keyboard.press("p")
        time.sleep(_HELD_KEY_S)
    page.locator("#review[data-unsent='0']").wait_for()
    return _DECISIONS - int(httpx.get(path, timeout=60).json()["approved"] - before)


@contextmanager
def _asking(path: str) -> Iterator[list[float]]:
    """Ask for something else during the block. Each answer's time, in milliseconds, is added to
    the list; an answer that is an error is raised at the end.
    """
    times: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client() as client:
            while not over.wait(_ASK_S):
                began = time.perf_counter()
                client.get(path).raise_for_status()
                times.append(_since(began))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield times
        finally:
            over.set()
        asking.result()


def _assets_kb() -> float:
    """All scripts and styles, each compressed."""
    folder = files("farm.web").joinpath("static")
    kinds = (".js", ".css")
    found = [one.read_bytes() for one in folder.iterdir() if one.name.endswith(kinds)]
    return sum(len(gzip.compress(data)) for data in found) / 1000
