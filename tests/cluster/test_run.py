"""`farm run` and `farm demo` with everything real: Ray, diffusers, the embedded model, SQLite and
files.
"""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import mkdtemp

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from actors.models.models import SEEDLING
from actors.pictures.files import file_pixels_digest
from tests.cluster.conftest import PATIENCE_S
from tests.demo import NUMERICS_CLASS, recorded

EXAMPLES = Path(__file__).parents[2] / "examples"
ACME = str(EXAMPLES / "brands" / "acme.yaml")
NEGATIVE = "film grain, stripe texture, watermark"

pytestmark = pytest.mark.cluster


def test_the_demo_is_painted_with_its_sheet_and_manifest(farm):
    first = farm.json("demo")
    assert (first["state"], first["renders"]["done"], first["renders"]["total"]) == (
        "done",
        96,
        96,
    )
    with Image.open(first["sheet"]) as sheet:
        assert min(sheet.size) > 500
    lines = farm.manifest("demo", "demo")
    assert len({line["digest"] for line in lines}) == len({line["pixels"] for line in lines}) == 96
    if lines[0]["numerics_class"] == NUMERICS_CLASS:
        assert [line["pixels"] for line in lines] == [line["pixels"] for line in recorded()]
    # Once more, there is nothing to paint.
    assert farm.json("demo")["renders"]["done"] == 96
    assert farm.manifest("demo", "demo") == lines


def test_files_hold_the_pixels_and_recipes_that_the_manifest_names(farm, tmp_path):
    farm.run("run", farm.file(settings={"steps": 4}, seeds=[7], previews={"every": 2}))
    lines = farm.manifest()
    assert len(lines) == 12
    for line in lines:
        data = (farm.home / "outputs" / line["key"]).read_bytes()
        assert (file_pixels_digest(data), len(data)) == (line["pixels"], line["bytes"])
        assert [(farm.home / "outputs" / key).is_file() for key in line["previews"]] == [True]
    exported = farm.json("export", "c", str(tmp_path / "out"))
    assert (exported["pictures"], exported["copied"]) == (12, 12)
    assert farm.json("export", "c", str(tmp_path / "out"))["copied"] == 0
    painted = tmp_path / "out" / "final"
    assert len(list(painted.rglob("*.png"))) == len(list(painted.rglob("*.webp"))) == 12
    (damaged,) = (farm.home / "outputs" / lines[0]["key"],)
    Image.new("RGB", (128, 128)).save(damaged)
    shutil.rmtree(tmp_path / "out")
    assert "changed since" in farm.run("export", "c", str(tmp_path / "out"), code=1)


def test_a_catalogue_is_painted_under_its_brand_and_judged_by_its_rules(farm):
    first = farm.json("run", str(EXAMPLES / "catalogue.yaml"))
    assert (first["state"], first["renders"]["done"]) == ("done", 9)
    lines = farm.manifest("catalogue")
    for line in lines:
        assert (line["brand"]["name"], line["brand"]["version"]) == ("acme", 1)
        assert line["rules"]["tested"] == 6
        assert (line["settings"]["guidance"], line["negative"]) == (5.0, NEGATIVE)
    # Red is a colour of the brand's palette, and yellow is not.
    fails = {line["number"] for line in lines if "palette@1" in line["rules"]["failed"]}
    yellow = {k["number"] for k in lines if k["coordinates"]["row"]["color"] == "yellow"}
    red = {k["number"] for k in lines if k["coordinates"]["row"]["color"] == "red"}
    assert fails & yellow
    assert not fails & red
    told = farm.run("status", "catalogue")
    assert f"palette@1: {len(fails)} fail" in told
    judged = farm.run("brands", "check", ACME, "--campaign", "catalogue", code=1)
    assert "of 9 pictures fail a rule" in judged


def test_a_run_that_was_killed_goes_on_where_it_was(farm):
    file = farm.file(seeds={"count": 2})
    scratch = mkdtemp(prefix="t")  # a short path: Ray keeps sockets in it
    process = farm.start("run", file, FARM_CHUNK="4", TMPDIR=scratch)
    farm.wait_until(lambda: farm.row().done >= 8, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    farm.wait_until(lambda: not farm.processes("farm.dispatch.process"))
    before = {line["number"]: line for line in farm_rows(farm)}
    assert 8 <= len(before) < 24
    summary = farm.json("run", file)
    assert (summary["state"], summary["renders"]["done"]) == ("done", 24)
    after = {line["number"]: line for line in farm_rows(farm)}
    # What was settled has not been touched: same attempt, same worker, same file.
    assert {number: after[number] for number in before} == before
    assert len({line["key"] for line in farm.manifest()}) == len(farm.manifest()) == 24
    farm.wait_until(lambda: not farm.processes("ray"))
    assert not list(Path(scratch).glob("farm-*"))
    shutil.rmtree(scratch)


def test_a_run_whose_ray_has_ended_goes_on_with_another(farm):
    process = farm.start("run", farm.file(seeds={"count": 2}), FARM_CHUNK="4")
    farm.wait_until(lambda: farm.row().done >= 4, process)
    for pid in farm.processes("/raylet"):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert [row["state"] for row in farm_rows(farm)] == ["done"] * 24
    assert (
        "Ray has ended beside the dispatcher"
        in (farm.home / "logs" / "dispatcher.out").read_text()
    )


def farm_rows(farm):
    import sqlite3

    with sqlite3.connect(farm.home / "farm.db") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM renders ORDER BY number")]


def test_outputs_that_cannot_be_written_stop_the_campaign(farm, tmp_path):
    blocked = tmp_path / "in-the-way"
    blocked.write_text("a file where a folder should be")
    file = farm.file(seeds=[1])
    error = farm.run("run", file, code=1, FARM_OUTPUTS=str(blocked / "outputs"))
    assert "was stopped" in error
    assert "make the outputs folder writable, free some space" in error
    assert str(blocked) not in error, "a client is told no path of the server"
    assert json.loads(farm.run("status", "c", "--json"))["state"] == "stopped"


@pytest.mark.skipif(
    os.geteuid() != 0 and "CI" not in os.environ, reason="only root can make a small disk"
)
def test_a_full_disk_is_waited_for_until_there_is_room(farm, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=True)
    try:
        process = farm.start(
            "run", farm.file(settings={"steps": 2}), FARM_OUTPUTS=str(disk / "outputs")
        )
        assert any("No space left on device" in line for line in process.stderr), (
            "the person at the terminal is told"
        )
        assert farm.row().waits > 0
        assert not [path for path in disk.rglob("*") if path.suffix == ".part"]
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        assert (farm.row().done, farm.row().waits) == (48, 0)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_numbers_that_are_no_picture_are_held_and_said_and_the_rest_is_painted(farm):
    model = _without_a_number_for("blue", farm.home.parent / "model")
    vary = {"product": ["mug"], "color": ["red", "blue"]}
    campaign = farm.file(model=str(model), vary=vary, seeds={"count": 4}, settings={"steps": 3})
    error = farm.run("run", campaign, code=1)
    assert "not a picture" in error
    assert (farm.row().done, farm.row().held, farm.row().state) == (4, 4, "failed")
    assert [line["state"] for line in farm.manifest()].count("held") == 4


def _without_a_number_for(word, folder):
    """A copy of seedling whose text encoder has no numbers (NaN) for one word."""
    shutil.copytree(SEEDLING, folder)
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    (name,) = [name for name in tensors if "token_embedding" in name]
    tensors[name][vocabulary.encode(word, add_special_tokens=False).ids[0]] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    return folder
