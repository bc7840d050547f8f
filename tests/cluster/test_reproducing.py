"""`farm reproduce` and `farm verify --sample` on pictures that were really painted: one farm for
all of them.
"""

import io
import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import load_file, save_file

from actors.models.models import SEEDLING
from tests.cluster.conftest import Farm

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """A farm that stays, and has painted six pictures."""
    farm = Farm(tmp_path_factory.mktemp("reproducing") / "home", {"FARM_WORKERS": "1"})
    process = farm.start("up", "--port", "0")
    farm.wait_until((farm.home / "farm.json").is_file, process)
    vary = {"product": ["mug", "bottle", "lamp"], "color": ["red"]}
    farm.json("submit", "--wait", farm.file(settings={"steps": 4}, seeds=[7, 8], vary=vary))
    yield farm
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    farm.end()


@pytest.fixture
def picture(farm, tmp_path):
    """A painted picture, copied elsewhere."""
    return shutil.copy(farm.home / "outputs" / farm.manifest()[0]["key"], tmp_path / "picture.png")


def rewritten(path, *, texts=None, pixel=None):
    """Write a PNG again with other text or one other pixel; without any text for `texts={}`."""
    with Image.open(io.BytesIO(path.read_bytes())) as opened:
        kept = opened.text if texts is None else texts
        image = opened.copy()
    if pixel is not None:
        image.putpixel((3, 5), tuple(value ^ pixel for value in image.getpixel((3, 5))))
    chunks = PngInfo()
    for key, value in kept.items():
        chunks.add_itxt(key, value)
    image.save(path, pnginfo=chunks)


def record_of(path):
    with Image.open(path) as image:
        return json.loads(image.text["seedbed"])


def test_a_picture_copied_elsewhere_is_painted_again_on_this_machine(farm, picture, tmp_path):
    found = farm.json("reproduce", str(picture), "--out", str(tmp_path / "side.png"))
    assert (found["verdict"], found["largest"], found["reasons"]) == ("identical", 0, [])
    with Image.open(found["picture"]) as side:
        assert side.size == (128 * 3 + 8, 128)


def test_one_changed_pixel_is_found(farm, picture):
    rewritten(picture, pixel=64)
    found = farm.json("reproduce", "--farm", str(picture), code=2)
    assert (found["verdict"], found["largest"]) == ("different", 64)
    assert "changed since it was painted" in found["reasons"][0]
    assert "what it painted then" in found["reasons"][0]
    with Image.open(picture.with_name("picture.reproduce.png")) as side:
        assert np.count_nonzero(np.asarray(side)[:, 2 * 132 :].any(axis=2)) == 1
    rewritten(picture, pixel=64 ^ 2)
    assert farm.json("reproduce", "--farm", str(picture), code=1)["verdict"] == "close"


def test_an_altered_recipe_is_found(farm, picture):
    record = record_of(picture)
    record["recipe"]["seed"] = 99
    rewritten(picture, texts={"seedbed": json.dumps(record)})
    found = farm.json("reproduce", "--farm", str(picture), code=2)
    assert found["verdict"] == "different"
    assert "altered" in found["reasons"][0]


def test_what_cannot_be_told_says_why(farm, picture, tmp_path):
    record = record_of(picture)
    rewritten(picture, texts={"seedbed": json.dumps({**record, "model_name": "/gone"})})
    assert "/gone was not found" in farm.run("reproduce", "--farm", str(picture), code=2)
    rewritten(picture, texts={})
    assert "recipe, model name, numerics class and versions are missing" in farm.run(
        "reproduce", str(picture), code=2
    )
    assert "has no render 99" in farm.run("reproduce", "c/99", code=2)


def test_other_weights_are_named_and_a_model_that_moved_can_be(farm, picture, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(SEEDLING, folder)
    assert (
        farm.json("reproduce", "--farm", str(picture), "--model", str(folder))["verdict"]
        == "identical"
    )
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(
        {name: value * np.float32(0.97) for name, value in load_file(weights).items()},
        weights,
        metadata={"format": "pt"},
    )
    found = farm.json("reproduce", "--farm", str(picture), "--model", str(folder), code=2)
    assert f"Other weights: {folder} stands for" in found["reasons"][0]


def test_renders_are_painted_again_and_held_against_their_rows(farm, tmp_path):
    assert farm.json("verify", "c", "--sample", "3") == {
        "campaign": "c",
        "files": 6,
        "painted_again": 3,
        "wrong": 0,
        "repaired": 0,
        "retired": 0,
    }
    assert farm.json("reproduce", "--farm", "c/4")["verdict"] == "identical"


def test_a_file_that_is_missing_is_painted_again_by_the_running_farm(farm):
    path = farm.home / "outputs" / farm.manifest()[2]["key"]
    was = path.read_bytes()
    path.unlink()
    found = farm.json("verify", "c", "--repair")
    assert (found["files"], found["repaired"], found["wrong"]) == (6, 1, 0)
    assert path.read_bytes() == was
    assert [row["campaign"] for row in [farm.json("list")]] == ["c"]
