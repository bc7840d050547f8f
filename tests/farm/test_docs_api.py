"""docs/api.md as written: its blocks run against an API whose dispatcher has a resting worker."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from farm.api.errors import status_of
from farm.app import open_app, serve
from farm.config import read_settings
from farm.documents.document import DocumentError
from storage import answers, errors
from tests.farm.fakes import FakeFleet

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()
PATIENCE_S = 120
ADDRESS = "http://127.0.0.1:8600"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def url(tmp_path, database_url, outputs, start):
    """An API, and a dispatcher of its database that paints what is submitted."""
    over = threading.Event()
    fleet = FakeFleet(1)
    dispatcher, painter = start(fleet), Painter("w", RestingEngine(0.0), outputs)

    def paint():
        now = 0.0
        while not over.wait(0.02):
            now += 1.0
            dispatcher.tick(now)
            fleet.results += [painter.paint(job) for job, _ in fleet.take()]

    settings = read_settings(
        home=tmp_path / "home", database_url=database_url, outputs=outputs.address
    )
    thread = threading.Thread(target=paint)
    with open_app(settings) as app, serve(app, 0) as url:
        thread.start()
        try:
            yield url
        finally:
            over.set()
            thread.join(PATIENCE_S)


def run(command, text, url, folder):
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        command,
        input=text.replace(ADDRESS, url).replace("sleep 1;", "sleep 0.05;"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_way_works_as_written(url, tmp_path):
    (block,) = blocks("python")
    said = run([sys.executable, "-"], block, url, tmp_path)
    lines = said.splitlines()
    assert lines[0] == "4 pictures"
    assert [line.split()[0] for line in lines[1:3]] == ["0", "1"]
    assert lines[3].startswith("not-found Project default has no campaign summer")
    for name in ("red.png", "sheet.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_shell_way_works_as_written(url, tmp_path):
    script = "set -euo pipefail\n" + "\n".join(blocks("bash"))
    said = run(["bash", "-s"], script, url, tmp_path)
    assert '"created":true' in said
    assert re.search(r"(?i)link: </api/v1/campaigns/autumn/renders\?.*rel=\"next\"", said)
    assert said.rstrip().endswith('"problems":[]}')
    assert '"code":"not-found"' in said
    for name in ("picture.png", "sheet.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 4


def test_the_codes_are_those_of_the_api():
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", PAGE, re.MULTILINE))
    kinds = [
        errors.RequestError, errors.Unauthenticated, errors.NotAllowed, errors.NotFound,
        errors.Conflict, errors.AlreadyThere, errors.TooManyRequests, errors.DatabaseAway,
        errors.OutputsAway, errors.SeedbedError, answers.KeyReused, answers.InProgress,
    ]  # fmt: skip
    expected = {kind.code: str(status_of(kind("A sentence."))) for kind in kinds}
    assert told == expected | {DocumentError.code: "422"}
