"""Every family of pipelines, painted for real with tiny random weights: seeds that repeat, and
what each takes.
"""

import json
import shutil

import numpy as np
import pytest

from actors.models.families import FAMILIES
from actors.models.schedulers import SCHEDULERS
from actors.painting.engine import Engine
from actors.painting.pipelines import PIPELINES
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest, PromptTooLong
from actors.recipes.previews import Previews
from tests.actors.tiny import SHADES, Looks, assert_pictures_stand_alone, group, hashes, recipes
from tests.pipelines import BUILDERS, FREE, PLAIN, save

pytestmark = pytest.mark.usefixtures("unproved")

NAMES = [family.pipeline for family in FREE]


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def test_each_family_has_a_row_a_class_and_a_tiny_model():
    assert list(PIPELINES) == list(BUILDERS) == [family.pipeline for family in FAMILIES]


@pytest.mark.parametrize("pipeline", NAMES)
def test_a_pictures_pixels_do_not_depend_on_its_slot_neighbours_padding_or_worker(
    engine, folder, pipeline
):
    assert_pictures_stand_alone(engine, recipes(group(folder(pipeline))), folder(pipeline))


@pytest.mark.parametrize("dtype", ["bfloat16"])
@pytest.mark.parametrize("pipeline", NAMES)
def test_pictures_stand_alone_in_half_precision(engine, folder, pipeline, dtype):
    assert_pictures_stand_alone(
        engine, recipes(group(folder(pipeline), dtype=dtype, steps=2)), folder(pipeline)
    )


@pytest.mark.parametrize("family", FREE, ids=NAMES)
def test_negative_prompts_and_guidance_count_where_the_family_has_them(engine, folder, family):
    path = folder(family.pipeline)
    batch = recipes(group(path))
    base = hashes(engine, batch, path)
    assert set(hashes(engine, recipes(group(path, guidance=2.0)), path)).isdisjoint(base)
    negative = recipes(batch[0].group, negative="a grain")
    if family.has_negative:
        assert set(hashes(engine, negative, path)).isdisjoint(base)
    else:
        with pytest.raises(BadRequest, match="takes no negative prompt"):
            engine.paint(negative, str(path))


@pytest.mark.parametrize("pipeline", NAMES)
def test_prompt_embeddings_are_computed_once(engine, folder, pipeline):
    batch = recipes(group(folder(pipeline)))
    hashes(engine, batch, folder(pipeline))
    warm = next(reversed(engine.warm.values()))
    before = warm.embeddings.computed
    hashes(engine, batch[::-1], folder(pipeline))
    assert warm.embeddings.computed == before > 0


@pytest.mark.parametrize(
    ("pipeline", "scheduler"), [(f.pipeline, name) for f in FREE for name in f.schedulers]
)
def test_every_scheduler_of_a_family_paints_and_shows_what_it_expects(
    engine, folder, pipeline, scheduler
):
    path = folder(pipeline)
    batch = recipes(group(path, scheduler=scheduler, steps=5))
    steps = []
    looks = Looks()
    painted = engine.paint(
        batch,
        str(path),
        previews=Previews(every=2),
        on_step=lambda _left: steps.append(1),
        on_preview=looks,
    )
    assert len(steps) >= 6  # once loaded, and at each step
    assert sorted(looks) == [2, 4]
    assert all(pictures[0].shape == (32, 64, 3) for pictures in looks.values())
    assert [pixels_digest(picture) for picture in painted.pixels] == hashes(engine, batch, path)
    assert hashes(engine, batch[1:], path) == hashes(engine, batch, path)[1:]
    # What it expects one step before the end is near to what comes out, nearer than to another
    # picture.
    near, far = (
        np.abs(looks[4][0].astype(float) - picture).mean()
        for picture in (painted.pixels[0], painted.pixels[1])
    )
    assert near < far


@pytest.mark.parametrize("pipeline", NAMES)
def test_fast_looks_change_nothing_and_follow_the_full_ones(engine, folder, pipeline):
    path = folder(pipeline)
    batch = recipes(group(path, steps=5))
    full, fast = Looks(), Looks()
    engine.paint(batch, str(path), Previews(every=2), on_preview=full)
    painted = engine.paint(batch, str(path), Previews(every=2, decode="fast"), on_preview=fast)
    assert [pixels_digest(picture) for picture in painted.pixels] == hashes(engine, batch, path)
    assert sorted(full) == sorted(fast)
    for step, pictures in fast.items():
        for small, whole in zip(pictures, full[step], strict=True):
            side = len(whole) // len(small)
            cells = whole.reshape(len(small), side, -1, side, 3).mean((1, 3))
            flat = np.abs(cells - cells.mean((0, 1))).mean()
            assert np.abs(small - cells).mean() < flat  # nearer than the best flat colour


@pytest.mark.parametrize("pipeline", NAMES)
def test_a_prompt_that_would_be_cut_off_is_refused(engine, folder, pipeline):
    with pytest.raises(PromptTooLong, match="shorten"):
        engine.paint(
            recipes(group(folder(pipeline)), prompt="a red mug " * 60), str(folder(pipeline))
        )


def test_every_scheduler_is_one_of_some_family():
    assert {name for family in FAMILIES for name in family.schedulers} | {"own"} == set(SCHEDULERS)


def test_any_other_pipeline_is_painted_through_its_plain_call(engine, folder):
    path = folder(*PLAIN)
    batch = recipes(group(path, batch=1))
    painted = [hashes(engine, [recipe], path) for recipe in batch]
    assert len({pixels for (pixels,) in painted}) == 3
    assert hashes(Engine(device="cpu", threads=1), batch[1:2], path) == painted[1]
    with pytest.raises(BadRequest, match="takes no negative prompt"):
        engine.paint(recipes(batch[0].group, negative="a grain")[:1], str(path))


def test_stable_diffusion_3_without_t5_reads_as_much_as_clip_does(engine, tmp_path):
    path = save("StableDiffusion3Pipeline", tmp_path / "model")
    index = json.loads((path / "model_index.json").read_text())
    (path / "model_index.json").write_text(
        json.dumps(index | {"text_encoder_3": [None, None], "tokenizer_3": [None, None]})
    )
    for part in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(path / part)
    assert_pictures_stand_alone(engine, recipes(group(path)), path)
    with pytest.raises(PromptTooLong, match="the model reads 48"):
        engine.paint(recipes(group(path), prompt="a red mug " * 20), str(path))


# --- references ---


@pytest.mark.parametrize(
    "pipeline", [family.pipeline for family in FAMILIES if family.image_to_image]
)
def test_a_picture_begins_from_its_reference(engine, folder, pipeline):
    path = folder(pipeline)
    near = group(path, strength=0.5)
    dark, light = (recipes(near, reference=shade) for shade in SHADES)
    assert_pictures_stand_alone(engine, [dark[0], light[1], dark[2]], path, references=SHADES)
    one, other = (
        engine.paint(batch, str(path), references=SHADES).pixels[0].astype(float)
        for batch in (dark, light)
    )
    assert one.mean() != other.mean()
    weights = next(reversed(engine.warm.values())).pipeline
    (other,) = weights._others.values()
    assert other.vae is weights.pipe.vae  # in memory once
    looks = Looks()
    painted = engine.paint(
        light, str(path), references=SHADES, previews=Previews(every=1), on_preview=looks
    )
    assert sorted(looks) == [1]
    assert [pixels_digest(picture) for picture in painted.pixels] == hashes(
        engine, light, path, references=SHADES
    )
    assert hashes(engine, recipes(group(path)), path) == hashes(
        Engine(device="cpu", threads=1), recipes(group(path)), path
    )


def test_a_reference_that_cannot_be_begun_from_is_refused(engine, folder):
    path = folder("StableDiffusionPipeline")
    for batch, words in (
        (recipes(group(path, strength=0.1), reference="dark"), "leaves none"),
        (recipes(group(path, strength=0.5), reference="gone"), "was not fetched"),
        (recipes(group(path, strength=0.5, width=32), reference="dark"), "has the shape"),
    ):
        with pytest.raises(BadRequest, match=words):
            engine.paint(batch, str(path), references=SHADES)
    path = folder("SanaPipeline")
    with pytest.raises(BadRequest, match="Sana cannot begin from a reference"):
        engine.paint(
            recipes(group(path, strength=0.5), reference="dark"), str(path), references=SHADES
        )
