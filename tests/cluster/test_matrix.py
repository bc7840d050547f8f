"""One campaign with every number of workers, place for pictures and database, with kills: one set of pixels.

Six of the twelve cells meet every pair of choices, and are what runs with all tests; `make matrix` runs all of them.
"""

import itertools
import os
import signal
from dataclasses import dataclass

import pytest

from tests.cluster.conftest import PATIENCE_S, Farm

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Cell:
    """How one run is done, and what is killed in the middle of it."""

    workers: int
    outputs: str
    database: str
    killed: str | None

    def __str__(self) -> str:
        return f"{self.workers}-{self.outputs}-{self.database}-{self.killed or 'calm'}"


_KILLED = itertools.cycle(["ray::RenderActor", "farm.dispatching", None])
CELLS = [Cell(*choice, next(_KILLED)) for choice in itertools.product((1, 2, 3), ("folder", "s3"), ("sqlite", "postgresql"))]


def _is_of_the_six(cell):
    """Half of the cells: each number of workers with each place, each with each database, and each place with each database."""
    return (cell.workers + (cell.outputs == "s3") + (cell.database == "postgresql")) % 2 == 0


PARAMETERS = [pytest.param(cell, id=str(cell), marks=() if _is_of_the_six(cell) else pytest.mark.matrix) for cell in CELLS]


def test_the_six_meet_every_pair_of_choices():
    pairs = {pair for cell in CELLS for pair in _pairs(cell)}
    assert {pair for cell in CELLS if _is_of_the_six(cell) for pair in _pairs(cell)} == pairs
    assert {cell.killed for cell in CELLS if _is_of_the_six(cell)} == {cell.killed for cell in CELLS}


def _pairs(cell):
    return itertools.combinations((cell.workers, cell.outputs, cell.database), 2)


@pytest.fixture(scope="module")
def pixels():
    """The pixel hash of every render by its digest, from the first cell that ran."""
    return {}


@pytest.mark.parametrize("cell", PARAMETERS)
def test_the_pixels_are_the_same_in_every_cell(cell, tmp_path, request, pixels):
    farm = Farm(tmp_path / "home", {"FARM_WORKERS": str(cell.workers), "FARM_CHUNK": "4", **_places(cell, request)})
    try:
        process = farm.start("run", farm.file())
        if cell.killed:
            victims = []
            farm.wait_until(lambda: (farm.row().done >= 4 and victims.extend(farm.processes(cell.killed))) or victims, process)
            os.kill(victims[0], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, (out, err, farm.log())
        assert farm.json("verify", "c") == {"campaign": "c", "files": 48, "painted_again": 0, "wrong": 0}
        painted = {outcome.digest: outcome.pixels for outcome in farm.outcomes()}
    finally:
        farm.end()
    assert len(painted) == 48
    pixels.update(painted if not pixels else {})
    assert painted == pixels


def _places(cell, request):
    """The environment of a cell: where its pictures and its database are."""
    places = {}
    if cell.outputs == "s3":
        places |= {"FARM_OUTPUTS": request.getfixturevalue("bucket"), **request.getfixturevalue("seaweed").environment}
    if cell.database == "postgresql":
        server = request.getfixturevalue("postgres")
        places["FARM_DATABASE_URL"] = server.new_database(request.getfixturevalue("postgres_template"))
    return places
