"""What `farm bench encode` measures with; how fast anything is, is none of a test's business."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from farm.bench import encode as bench
from farm.bench.corpus import photo_like
from farm.cli import app
from storage.errors import WorkError


@pytest.fixture(scope="module")
def corpus():
    return photo_like()


def test_the_pictures_are_as_large_and_as_detailed_as_photographs(corpus):
    for name, pixels in corpus.items():
        assert (pixels.shape, pixels.dtype, pixels.flags["C_CONTIGUOUS"]) == (
            (1024, 1024, 3),
            np.uint8,
            True,
        )
        steps = np.abs(np.diff(pixels.astype(int), axis=1)).mean()
        assert (0.1 if name == "lamp, without grain" else 0.5) < steps < 10, name
        assert pixels.std() > 20


@pytest.fixture
def small(corpus, monkeypatch):
    """Corners of two of the pictures."""
    few = {
        name: np.ascontiguousarray(pixels[:64, :64])
        for name, pixels in corpus.items()
        if name in ("leaves", "sky")
    }
    monkeypatch.setattr(bench, "photo_like", lambda: few)


def test_every_encoder_has_a_speed_and_a_size(small):
    done = CliRunner().invoke(app, ["bench", "encode", "--rounds", "2", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert set(result) == {"bench", "machine", "setup", "figures", "peers"}
    assert {"speed_vs_pillow", "size_vs_pillow", "python_beside"} <= set(result["figures"])
    for name in ("pillow 1", "up + libdeflate 6", "webp", "webp-q90", "jpg-q90", "jxl", "jxl-q90"):
        for kind in ("speed", "size"):
            spread = result["peers"][f"{name} {kind}"]
            assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert result["peers"]["jpg-q90 size"]["max"] < result["figures"]["size_vs_pillow"]["min"]


def test_an_encoder_that_loses_pixels_is_not_measured(small, monkeypatch):
    monkeypatch.setattr(
        bench,
        "write_png",
        lambda pixels, texts, level: bench.write(pixels // 2, {}, "", bench.Encoding()),
    )
    with pytest.raises(WorkError, match="up \\+ libdeflate 1 does not give back"):
        bench.measure(rounds=1)
