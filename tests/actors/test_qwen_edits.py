"""Qwen-Image-Edit, whose encoder sees the pictures beside the prompt: beside the bare pipeline of
diffusers, which is told the places of pictures as its makers' code was.
"""

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen2VLProcessor

from actors.models.families import FAMILIES
from actors.models.models import find_model
from actors.painting.engine import Engine
from actors.painting.loading import load_pipeline
from actors.painting.qwen_edits import PictureReader
from actors.recipes.errors import BadRequest
from farm.bench.grip import measured_grip
from storage.errors import RequestError
from tests.actors.bare import painted_by
from tests.actors.tiny import group, hashes, recipes
from tests.pipelines import small_edits

ONE, PLUS = "QwenImageEditPipeline", "QwenImageEditPlusPipeline"
ROWS = {family.pipeline: family for family in FAMILIES if family.only_edits}
_RANDOM = np.random.default_rng(7)
FILES = {
    "mug": _RANDOM.integers(0, 256, (80, 112, 3), np.uint8),
    "lamp": _RANDOM.integers(0, 256, (112, 80, 3), np.uint8),
}
HOW = {"references": FILES}


@pytest.fixture(scope="module")
def engine():
    with pytest.MonkeyPatch.context() as patch, small_edits():
        patch.setattr("actors.painting.engine.paint_canaries", lambda _group, _paint: "0" * 64)
        yield Engine(device="cpu", threads=1)


def edits(path, *names, **changes):
    made_of = group(path, **{"batch": 1, "edits": len(names), "steps": 2, **changes})
    return recipes(made_of, edit=names)


def bare(path, *, is_told=True):
    """The pipeline of diffusers, put together of its parts. `is_told` says whether its encoder is
    told the places of pictures.
    """
    family = ROWS[diffusers.DiffusionPipeline.load_config(path)["_class_name"]]
    pipe = load_pipeline(path, family, torch.float32, torch.device("cpu"))
    encoder = Qwen2_5_VLForConditionalGeneration.from_pretrained(path / "text_encoder")

    def place(_encoder, _inputs, told):
        sees = encoder.config.image_token_id
        return (), {**told, "mm_token_type_ids": (told["input_ids"] == sees).int()}

    if is_told:
        encoder.register_forward_pre_hook(place, with_kwargs=True)
    return type(pipe)(**{**pipe.components, "text_encoder": encoder})


@pytest.mark.parametrize("guidance", [4.0, 1.0])
@pytest.mark.parametrize(
    ("pipeline", "names"), [(ONE, ("mug",)), (PLUS, ("lamp",)), (PLUS, ("mug", "lamp"))]
)
def test_an_edit_is_the_one_that_diffusers_paints(engine, folder, pipeline, names, guidance):
    path = folder(pipeline)
    one = edits(path, *names, guidance=guidance)[0]
    pictures = [Image.fromarray(FILES[name]) for name in names]
    told = {
        "image": pictures[0] if pipeline == ONE else pictures,
        "negative_prompt": "",
        "true_cfg_scale": guidance,
        "guidance_scale": None,
    }
    painted = engine.paint([one], str(path), **HOW).pixels[0]
    by_diffusers = painted_by(bare(path), one, told)
    assert np.abs(painted.astype(int) - by_diffusers).max() == 0
    untold = painted_by(bare(path, is_told=False), one, told)
    assert np.abs(painted.astype(int) - untold).max() > 0


def test_an_edit_depends_on_its_prompt_its_pictures_and_their_order(engine, folder):
    path = folder(PLUS)
    sets = [("mug",), ("lamp",), ("mug", "lamp"), ("lamp", "mug")]
    found = [hashes(engine, edits(path, *names)[:1], path, **HOW)[0] for names in sets]
    others = edits(path, "mug")[1]
    found += hashes(engine, [others], path, **HOW)
    assert len(set(found)) == 5
    # No embedding is remembered from one picture for another.
    again = hashes(Engine(device="cpu", threads=1), edits(path, "lamp")[:1], path, **HOW)
    assert again == found[1:2]


def test_the_encoder_sees_the_pictures_and_knows_their_places(engine, folder):
    path = folder(PLUS)
    engine.paint(edits(path, "mug")[:1], str(path), **HOW)
    pipeline = next(reversed(engine.warm.values())).pipeline
    (one, other), names = edits(path, "mug")[:2], ("mug", "lamp")
    seen = [
        pipeline.embed("a mug", is_negative=False, **pipeline.reading(recipe, FILES))
        for recipe in (one, other, *(edits(path, name)[0] for name in names))
    ]
    same, again, mug, lamp = (one["prompt_embeds"] for one in seen)
    assert torch.equal(same, again)
    assert torch.equal(same, mug)
    assert mug.shape[1] != lamp.shape[1] or not torch.equal(mug, lamp)
    pipeline.pipe.text_encoder.config.image_token_id -= 1  # a word, in its place
    try:
        with pytest.raises(ValueError, match=r"[Ii]mage features"):
            pipeline.embed("a mug", is_negative=False, **pipeline.reading(one, FILES))
    finally:
        pipeline.pipe.text_encoder.config.image_token_id += 1


def test_a_picture_is_read_as_by_the_processor_of_transformers(folder):
    """That class cannot be made without torchvision, but reads texts and pictures by itself."""
    place = folder(PLUS) / "processor"
    ours = ROWS[PLUS] and PictureReader(
        Qwen2Tokenizer.from_pretrained(place), _image_processor(place)
    )
    whole = object.__new__(Qwen2VLProcessor)
    whole.tokenizer, whole.image_processor = ours.tokenizer, ours.image_processor
    whole.image_token, whole.video_token = "<|image_pad|>", "<|video_pad|>"
    whole.image_token_id = ours.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    whole.video_token_id = whole.video_processor = None
    text = ["one <|vision_start|><|image_pad|><|vision_end|> and <|image_pad|>: a mug"]
    images = [Image.fromarray(FILES[name]) for name in FILES]
    told = {"text": text, "images": images, "padding": True, "return_tensors": "pt"}
    mine, theirs = ours(**told), whole(**told)
    for name in ("input_ids", "attention_mask", "pixel_values", "image_grid_thw"):
        assert torch.equal(mine[name], theirs[name]), name


def _image_processor(place):
    from transformers import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil.from_pretrained(place)


def test_what_cannot_be_edited_is_a_sentence(engine, folder):
    path = folder(PLUS)
    for batch, words in (
        (edits(path, *["mug"] * 4), "edits no more pictures than 3"),
        (edits(path, "mug", batch=2), "painted one at a time"),
        ([_said(edits(path, "mug")[0], "a <|image_pad|>")], "would not read <|image_pad|>"),
    ):
        with pytest.raises(BadRequest, match=words.replace("|", r"\|")):
            engine.paint(batch[:1], str(path), **HOW)


def test_the_grip_of_its_seeds_is_not_measured(folder):
    with pytest.raises(RequestError, match="paints nothing but edits"):
        measured_grip(find_model(str(folder(PLUS))), steps=2)


def _said(recipe, prompt):
    return recipes(recipe.group, edit=recipe.edit, prompt=prompt)[0]
