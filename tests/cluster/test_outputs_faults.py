"""A whole campaign whose S3 server fails it again and again, by HAProxy between them."""

import json
import os
import sqlite3

import pytest

from storage.bench.seaweed import SECRET_KEY
from storage.campaigns import Campaigns
from storage.database import open_database
from storage.keys import is_atlas, place_of
from storage.s3 import S3Outputs
from tests.haproxy import busy, hangs_up

pytestmark = pytest.mark.cluster


def test_a_server_that_fails_a_fifth_of_all_requests_costs_nothing_but_time(
    bucket, farm, faulty, tmp_path
):
    place = {"FARM_OUTPUTS": f"{bucket}/farm", "FARM_REST": "0.01", "FARM_CHUNK": "20"}
    file = farm.file(seeds={"count": 20}, settings={"batch": 4})
    with faulty(os.environ["AWS_ENDPOINT_URL_S3"], busy(10), hangs_up(11)) as address:
        process = farm.start("run", file, AWS_ENDPOINT_URL_S3=address, **place)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, (err, farm.log())
    assert (farm.row().done, farm.row().failed, farm.row().held) == (240, 0, 0)

    # Whatever was tried again was no fault of a render or a worker.
    with sqlite3.connect(farm.home / "farm.db") as connection:
        assert {outcome for (outcome,) in connection.execute("SELECT outcome FROM attempts")} <= {
            "painted",
            "shortage",
        }
        assert connection.execute("SELECT sum(failures), sum(losses) FROM chunks").fetchone() == (
            0,
            0,
        )
        waits = connection.execute(
            "SELECT count(*) FROM attempts WHERE outcome = 'shortage'"
        ).fetchone()[0]
        most = connection.execute("SELECT max(attempts) FROM renders").fetchone()[0]
    assert most == 1 or waits

    # Listing, manifest and database are one, and every picture is whole: an export that looks at
    # each says so.
    farm.run("export", "c", str(tmp_path / "out"), **place)
    store = S3Outputs(f"{bucket}/farm")
    rows = {
        row.key
        for row, _, _ in Campaigns(open_database(f"sqlite:///{farm.home / 'farm.db'}")).outcomes(
            farm.row().id
        )
    }
    with store.open("default/c/manifest.jsonl") as manifest:
        lines = [json.loads(line) for line in manifest]
    there = {key for key in store.keys("") if not is_atlas(place_of(key))}
    assert there == {*rows, "default/c/manifest.jsonl"}
    assert {line["key"] for line in lines} == rows

    # The secret is nowhere that the farm writes.
    written = [
        path
        for folder in (farm.home, tmp_path / "out")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert len(written) > 240
    assert [path for path in written if SECRET_KEY.encode() in path.read_bytes()] == []
    assert SECRET_KEY not in out + err
