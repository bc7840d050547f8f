"""The package as people install it: a wheel is enough for the command, the farm and its pages."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from farm.app import open_app
from farm.client.client import Client
from farm.config import read_settings
from tests.campaigns import campaign
from tests.routes import routes_of

ROOT = Path(__file__).parents[2]
SERVE = """
import sys
from pathlib import Path
import farm
from farm.app import open_app, serve
from farm.config import read_settings
with open_app(read_settings(home=Path(sys.argv[1]))) as app, serve(app, 0) as url:
    print(farm.__file__, url, flush=True)
    sys.stdin.read()
"""
FILES = re.compile(r'(?:src|href)="(/static/[^"]+)"')
IMPORTS = re.compile(r'(?:from|import\()\s*"\./([\w.]+)"')
NO_PAGES = ("/api/", "/static/", "/metrics", "/logout", "/favicon.ico")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A virtual environment with this wheel alone, beside the packages that it asks for."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    here = sysconfig.get_path("purelib", vars={"base": str(folder)})
    # Paths that are named so come last, and the .pth files in them are not read: no checkout of
    # the farm is seen through them.
    others = [path for path in sys.path if Path(path).name == "site-packages"]
    Path(here, "others.pth").write_text("\n".join(others) + "\n")
    install = [
        sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet",
        "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel),
    ]  # fmt: skip
    subprocess.run(install, check=True, capture_output=True)
    return folder


@pytest.fixture
def elsewhere(tmp_path):
    """How a program is started far from the checkout: its folder and its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {"cwd": tmp_path, "env": {**kept, "FARM_HOME": str(tmp_path / "home")}}


@pytest.fixture
def url(installed, elsewhere, tmp_path):
    command = [str(installed / "bin" / "python"), "-c", SERVE, str(tmp_path / "home")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **elsewhere
    ) as process:
        try:
            place, address = process.stdout.readline().split()
            assert Path(place).is_relative_to(installed)
            yield address
        finally:
            process.stdin.close()
            process.wait(30)


def pages_of(tmp_path):
    """The paths of all pages, as this checkout has them."""
    with open_app(read_settings(home=tmp_path / "other")) as app:
        paths = {path for path, route in routes_of(app) if "GET" in route.methods}
    named = {"{project}": "default", "{name}": "spring", "{number}": "0"}
    found = set()
    for path in paths:
        if not path.startswith(NO_PAGES):
            found.add(re.sub(r"\{\w+\}", lambda part: named[part[0]], path))
    return found


def test_a_wheel_has_every_file_of_the_packages(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    for package in ("farm", "actors", "storage"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in packed
    assert not [name for name in packed if name.startswith(("tests/", "docs/"))]


def test_the_command_of_a_wheel_runs_far_from_the_checkout(installed, elsewhere):
    said = subprocess.run(
        [str(installed / "bin" / "farm"), "--version"],
        check=True, capture_output=True, text=True, **elsewhere,
    ).stdout  # fmt: skip
    assert said.startswith("seedbed ")


def test_a_farm_from_a_wheel_shows_every_page_with_its_files(url, tmp_path):
    with Client(url) as client:
        client.submit(campaign())
        client.add_brand({"name": "spring", "negative": "film grain"})
    pages = pages_of(tmp_path)
    assert {"/", "/new", "/login", "/campaigns/default/spring"} < pages
    files = set()
    with httpx.Client(base_url=url) as browser:
        for page in sorted(pages):
            answer = browser.get(page)
            assert (answer.status_code, page) == (200, page)
            files |= set(FILES.findall(answer.text))
        assert len(files) > 10
        seen = set()
        while files:
            file = files.pop()
            seen.add(file)
            answer = browser.get(file)
            assert (answer.status_code, file) == (200, file)
            folder = file.rpartition("/")[0]
            files |= {f"{folder}/{name}" for name in IMPORTS.findall(answer.text)} - seen
        assert browser.get("/api/openapi.json").status_code == 200
