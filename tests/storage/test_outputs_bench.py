"""That the measurement of outputs measures what it says; how fast anything is, is none of a test's
business.
"""

import json
import os

import pytest
from typer.testing import CliRunner

from farm.bench.outputs import measure
from farm.cli import app
from storage.errors import WorkError
from storage.s3 import S3Outputs


def own_environment():
    """Without what torch sets when it is loaded, which is once in a process."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TORCH")}


def test_every_side_is_measured_and_nothing_is_left_behind(seaweed, tmp_path):
    before = own_environment()
    done = CliRunner().invoke(
        app,
        [
            "bench",
            "outputs",
            "--rounds",
            "2",
            "--pictures",
            "100",
            "--threads",
            "4",
            "--work",
            str(tmp_path),
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert set(result["figures"]) == {"put_vs_boto3", "s3.puts_per_s", "folder.puts_per_s"}
    assert set(result["peers"]) == {"boto3.puts_per_s"}
    assert result["setup"] == {"rounds": 2, "pictures": 100, "bytes": 24_000, "threads": 4}
    assert list(tmp_path.iterdir()) == []
    assert own_environment() == before


def test_a_store_that_loses_a_picture_is_no_result(seaweed, monkeypatch):
    put = S3Outputs.put
    monkeypatch.setattr(
        S3Outputs,
        "put",
        lambda self, key, data: None if key.endswith("/7.png") else put(self, key, data),
    )
    with pytest.raises(WorkError, match="lists 98 pictures of the 100"):
        measure(rounds=2, pictures=100, threads=4, work=None)
