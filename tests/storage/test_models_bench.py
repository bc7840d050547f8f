"""That the measurement of fetched models measures what it says, and no more; figures are none of a
test's business.
"""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from farm.bench import models
from farm.bench.models import FILES, measure
from farm.cli import app
from storage.errors import WorkError


def test_both_sides_are_measured_and_nothing_is_left_behind(seaweed, tmp_path):
    before = os.environ.get("AWS_ENDPOINT_URL_S3")
    words = ["--rounds", "2", "--megabytes", "8", "--work", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, ["bench", "models", *words])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert result["setup"] == {"rounds": 2, "bytes": 8_000_000, "files": FILES}
    assert set(result["figures"]) == {"fetch_vs_boto3", "farm.mb_per_s"}
    assert set(result["peers"]) == {"boto3.mb_per_s"}
    ratio = result["figures"]["fetch_vs_boto3"]
    assert 0 < ratio["min"] <= ratio["median"] <= ratio["max"]
    assert list(tmp_path.iterdir()) == []
    assert os.environ.get("AWS_ENDPOINT_URL_S3") == before


def test_a_side_that_fetches_other_bytes_gives_no_result(seaweed, tmp_path, monkeypatch):
    def bare_get(bucket, *, prefix):
        return lambda _key, path: Path(path).write_bytes(b"?" * 1_000_000)

    monkeypatch.setattr(models, "bare_get", bare_get)
    with pytest.raises(WorkError, match=r"fetched part-0\.bin as other bytes"):
        measure(rounds=1, megabytes=4, work=tmp_path)
    assert list(tmp_path.iterdir()) == []
