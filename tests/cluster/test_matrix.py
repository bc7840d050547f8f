"""One campaign with every number of workers, place for pictures and database, with kills: one set
of pixels.

Two of the twelve cells, which differ in everything, run with all tests; `make matrix` runs all of
them.
"""

import itertools
import os
import signal
from dataclasses import astuple, dataclass

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


_KILLED = itertools.cycle(["ray::RenderActor", "farm.dispatch.process", None])
CELLS = [
    Cell(*choice, next(_KILLED))
    for choice in itertools.product((1, 2, 3), ("folder", "s3"), ("sqlite", "postgresql"))
]


WITH_ALL_TESTS = ("2-folder-sqlite-farm.dispatch.process", "1-s3-postgresql-ray::RenderActor")
PARAMETERS = [
    pytest.param(
        cell, id=str(cell), marks=() if str(cell) in WITH_ALL_TESTS else pytest.mark.matrix
    )
    for cell in CELLS
]


def test_those_that_run_with_all_tests_have_nothing_in_common():
    one, other = (astuple(cell) for cell in CELLS if str(cell) in WITH_ALL_TESTS)
    assert not any(a == b for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def pixels():
    """The pixel hash of every render by its digest, from the first cell that ran."""
    return {}


@pytest.mark.parametrize("cell", PARAMETERS)
def test_the_pixels_are_the_same_in_every_cell(cell, tmp_path, request, pixels):
    farm = Farm(
        tmp_path / "home",
        {"FARM_WORKERS": str(cell.workers), "FARM_CHUNK": "4", **_places(cell, request)},
    )
    try:
        process = farm.start("run", farm.file())
        if cell.killed:
            victims = []
            farm.wait_until(
                lambda: (
                    (farm.row().done >= 4 and victims.extend(farm.processes(cell.killed)))
                    or victims
                ),
                process,
            )
            os.kill(victims[0], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, (out, err, farm.log())
        assert farm.json("verify", "c") == {
            "campaign": "c",
            "files": 48,
            "painted_again": 0,
            "wrong": 0,
            "repaired": 0,
            "retired": 0,
        }
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
        places |= {
            "FARM_OUTPUTS": request.getfixturevalue("bucket"),
            **request.getfixturevalue("seaweed").environment,
        }
    if cell.database == "postgresql":
        server = request.getfixturevalue("postgres")
        places["FARM_DATABASE_URL"] = server.new_database(
            request.getfixturevalue("postgres_template")
        )
    return places
