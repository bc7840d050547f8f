"""Pictures that are made larger after they were painted: by Lanczos as Pillow has it, and by a
model as transformers does, tile after tile.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Swin2SRForImageSuperResolution

from actors.models.upscalers import inspect_upscaler, upscaler_digest
from actors.painting.engine import Engine
from actors.painting.infotext import infotext
from actors.painting.memory import bytes_in_files
from actors.painting.upscaling import Upscaling
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest, PartMissing, WeightsChanged
from actors.recipes.previews import Previews
from actors.recipes.recipe import Recipe, Upscale
from storage.errors import RequestError
from tests.actors.tiny import Looks, assert_pictures_stand_alone, group, hashes, recipes
from tests.pipelines import upscaler_of

pytestmark = pytest.mark.usefixtures("unproved")

SD = "StableDiffusionPipeline"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory):
    return upscaler_of(tmp_path_factory.mktemp("upscalers") / "twice")


def by_model(folder, by=2, tile=256):
    return Upscale(by=by, digest=upscaler_digest(folder), tile=tile)


def seen_whole(folder, pixels):
    """What the bare model makes of a picture that it sees at once."""
    model = Swin2SRForImageSuperResolution.from_pretrained(folder).eval()
    values = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        made = model(pixel_values=values).reconstruction[0]
    return (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def noise(height, width):
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("by", [2, 3, 4])
def test_lanczos_is_that_of_pillow(engine, folder, by):
    path = folder(SD)
    small = engine.paint(recipes(group(path)), str(path)).pixels
    large = engine.paint(recipes(group(path, upscale=Upscale(by=by))), str(path)).pixels
    for one, other in zip(small, large, strict=True):
        assert other.shape == (32 * by, 64 * by, 3)
        expected = Image.fromarray(one).resize((64 * by, 32 * by), Image.Resampling.LANCZOS)
        assert np.array_equal(other, np.asarray(expected))


def test_a_model_makes_of_a_painted_picture_what_it_makes_of_any(engine, folder, upscaler):
    path = folder(SD)
    small = engine.paint(recipes(group(path)), str(path)).pixels
    batch = recipes(group(path, upscale=by_model(upscaler)))
    large = engine.paint(batch, str(path), upscaler_folder=str(upscaler)).pixels
    for one, other in zip(small, large, strict=True):
        assert np.array_equal(other, seen_whole(upscaler, one))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ((64, 32, 32), (48, 48, 0)),
        ((48, 48, 0), (100, 40, 66)),
        ((90, 40, 61), (70, 35, 35)),
        ((20, 20, 0), (65, 32, 32)),
    ],
)
def test_a_larger_picture_is_seen_in_tiles_that_meet_in_the_middle(upscaler, rows, columns):
    """Of each side: its pixels, where the first tile ends, and where the last begins."""
    (height, first_row, last_row), (width, first_column, last_column) = rows, columns
    pixels, tile = noise(height, width), 48
    upscaling = Upscaling(CPU)
    upscaling.load(by_model(upscaler), upscaler)
    made = upscaling.larger(pixels, by_model(upscaler, tile=tile))
    assert made.shape == (2 * height, 2 * width, 3)
    first = seen_whole(upscaler, pixels[:tile, :tile])[: 2 * first_row, : 2 * first_column]
    assert np.array_equal(made[: 2 * first_row, : 2 * first_column], first)
    last = seen_whole(upscaler, pixels[-tile:, -tile:])
    own = made[2 * last_row :, 2 * last_column :]
    assert np.array_equal(own, last[-own.shape[0] :, -own.shape[1] :])
    # A smaller tile sees less: it is another picture, and so it is in the recipe.
    other = upscaling.larger(pixels, by_model(upscaler, tile=32))
    assert not np.array_equal(made, other)


def test_what_a_model_makes_too_large_is_brought_to_the_size_by_lanczos(tmp_path):
    four = upscaler_of(tmp_path / "four", by=4)
    upscaling, pixels = Upscaling(CPU), noise(24, 40)
    upscaling.load(by_model(four), four)
    large = Image.fromarray(seen_whole(four, pixels))
    expected = large.resize((80, 48), Image.Resampling.LANCZOS)
    assert np.array_equal(upscaling.larger(pixels, by_model(four, by=2)), np.asarray(expected))
    with pytest.raises(BadRequest, match="makes pictures 4 times larger"):
        upscaling.larger(pixels, by_model(four, by=5))


def test_pictures_stand_alone_have_previews_and_go_on(engine, folder, upscaler):
    path, looks = folder(SD), Looks()
    how = {"upscaler_folder": str(upscaler)}
    batch = recipes(group(path, steps=8, upscale=by_model(upscaler)))
    assert_pictures_stand_alone(engine, batch, path, **how)
    painted = engine.paint(batch, str(path), Previews(every=4), on_preview=looks, **how).pixels
    plain = Looks()
    engine.paint(recipes(group(path, steps=8)), str(path), Previews(every=4), on_preview=plain)
    assert [pixels_digest(look) for look in looks[4]] == list(map(pixels_digest, plain[4]))
    parked = engine.paint(batch, str(path), until=3, **how).parked
    again = engine.paint(batch, str(path), parked=parked, **how).pixels
    assert list(map(pixels_digest, again)) == list(map(pixels_digest, painted))


def test_its_memory_counts_and_goes_with_that_of_the_pipelines(folder, upscaler):
    path = folder(SD)
    one = bytes_in_files(path, torch.float32)
    beside = (upscaler / "model.safetensors").stat().st_size
    engine = Engine(device="cpu", threads=1, memory=int(1.5 * one + beside / 2))
    hashes(engine, recipes(group(path, dtype="bfloat16")), path)
    hashes(engine, recipes(group(path)), path)
    assert [dtype for _, dtype in engine.warm] == ["bfloat16", "float32"]
    larger = recipes(group(path, upscale=by_model(upscaler)))
    before = engine._bytes_loaded()
    hashes(engine, larger, path, upscaler_folder=str(upscaler))
    assert [dtype for _, dtype in engine.warm] in (["float32"], ["bfloat16", "float32"])
    assert engine._upscaling.bytes > 0
    assert engine._bytes_loaded() != before
    engine.forget()
    assert engine._bytes_loaded() == 0


def test_digests_know_the_upscale_and_old_digests_stay(folder, upscaler):
    path = folder(SD)
    kinds = [
        recipes(group(path, upscale=upscale))[0]
        for upscale in (None, Upscale(by=2), Upscale(by=3), by_model(upscaler),
                        by_model(upscaler, tile=128))
    ]  # fmt: skip
    assert len({recipe.digest for recipe in kinds}) == 5
    assert [Recipe.from_json(recipe.to_json()) for recipe in kinds] == kinds
    assert "upscale" not in kinds[0].to_json()
    assert kinds[1].to_json()["upscale"] == {"by": 2}
    assert [kind.group.shape.endswith(":upscale") for kind in kinds] == [False] * 3 + [True] * 2
    told = [infotext(kind, "tiny") for kind in kinds]
    assert "Postprocess" not in told[0]
    assert "Postprocess upscale by: 2, Postprocess upscaler: Lanczos" in told[1]
    assert f"Postprocess upscaler: {upscaler_digest(upscaler)[:10]}" in told[3]


def test_what_cannot_be_made_larger_is_a_sentence(folder, upscaler, tmp_path):
    path = folder(SD)
    changed = shutil.copytree(upscaler, tmp_path / "changed")
    _set(changed, _note="new")
    batch = recipes(group(path, upscale=by_model(upscaler)))
    for at, error, words in (
        (None, BadRequest, "The upscaler of a picture was not named"),
        (tmp_path / "nowhere", PartMissing, "nowhere is missing on"),
        (changed, WeightsChanged, "The upscaler in .* has changed since the campaign"),
    ):
        with pytest.raises(error, match=words):
            Engine(device="cpu", threads=1).paint(batch, str(path), upscaler_folder=at and str(at))
    (changed / "model.safetensors").write_bytes(b"no weights")
    broken = replace(by_model(upscaler), digest=upscaler_digest(changed))
    with pytest.raises(PartMissing, match="The upscaler changed cannot be loaded"):
        Engine(device="cpu", threads=1).paint(
            recipes(group(path, upscale=broken)), str(path), upscaler_folder=str(changed)
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: (at / "config.json").unlink(), "is no upscaler: its folder needs"),
        (lambda at: _set(at, _class_name="ControlNetModel"), "is no upscaler: its folder needs"),
        (lambda at: _set(at, model_type="vit"), "is a vit, and pictures can be made larger by a"),
        (lambda at: _set(at, num_channels=1), "does not make colours of colours"),
        (lambda at: _set(at, upscale=1), "it makes nothing larger"),
        (lambda at: _set(at, embed_dim=24), "the config is another model's"),
        (lambda at: (at / "model.safetensors").unlink(), "has no weights"),
        (
            lambda at: (at / "model.safetensors").write_bytes(
                (at / "model.safetensors").read_bytes()[:-100]
            ),
            "not a whole safetensors",
        ),
    ],
)
def test_a_folder_that_is_no_whole_upscaler_is_refused(upscaler, tmp_path, change, words):
    at = shutil.copytree(upscaler, tmp_path / "twice")
    assert inspect_upscaler("twice", at).digest == upscaler_digest(at)
    assert inspect_upscaler("twice", at).by == 2
    change(at)
    with pytest.raises(RequestError, match=words):
        inspect_upscaler("twice", at)


def _set(folder, **values):
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **values}))
