"""Pictures that are like others by an IP-Adapter: beside the bare pipeline of diffusers, in any
place of a batch, going on where they were parked, and with the weights that were meant.
"""

import gc
import json
import shutil
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionModelWithProjection

from actors.models.controls import control_digest
from actors.models.families import FAMILIES, family_of
from actors.models.ip_adapters import (
    inspect_ip_adapter,
    ip_adapter_digest,
    layers_of,
    likeness_misfit,
)
from actors.models.models import file_digest
from actors.painting.engine import Engine
from actors.painting.memory import bytes_in_files
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest, PartMissing, WeightsChanged
from actors.recipes.previews import Previews
from actors.recipes.recipe import Adapter, Control, Likeness, Recipe, whole
from storage.errors import RequestError
from tests.actors.bare import painted_bare
from tests.actors.tiny import SHADES, Looks, assert_pictures_stand_alone, group, hashes, recipes
from tests.pipelines import control_of, ip_adapter_of

pytestmark = pytest.mark.usefixtures("unproved")

XL = "StableDiffusionXLPipeline"
NAMES = [family.pipeline for family in FAMILIES if family.likenesses]
KINDS = ["plain", "plus", "full"]
# In shapes of their own: no model's, and not square.
RED = np.zeros((40, 90, 3), np.uint8)
RED[:, :, 0] = np.arange(90)[None] * 2
BLUE = np.zeros((70, 50, 3), np.uint8)
BLUE[:, :, 2] = np.arange(70)[:, None] * 3
SEEN = {"red": RED, "blue": BLUE}
LEFT = np.zeros((32, 64, 3), np.uint8)
LEFT[:, :32] = 255
FILES = {**SHADES, "left": LEFT, **{whole(name): picture for name, picture in SEEN.items()}}


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory, folder):
    """The folder of an IP-Adapter of a kind for a pipeline, built once."""
    root, built = tmp_path_factory.mktemp("ip-adapters"), {}

    def ip_adapter(pipeline, kind="plain"):
        if (pipeline, kind) not in built:
            at = root / f"{pipeline}-{kind}"
            built[pipeline, kind] = ip_adapter_of(folder(pipeline), at, kind=kind)
        return built[pipeline, kind]

    return ip_adapter


def like(path, at, *, scale=0.7, of="all", image="red", files=None, **changes):
    """Recipes of pictures that are like one."""
    likeness = Likeness(digest=ip_adapter_digest(at), scale=scale, of=of)
    return recipes(
        group(path, **{"likeness": likeness, **changes}), likeness_image=image, **(files or {})
    )


def how(at, **more):
    return {"references": FILES, "likeness_folder": str(at), **more}


def bare(path, at, recipe, scale, **more):
    """What diffusers paints of a recipe that is like a picture."""

    def picture(name):
        return torch.from_numpy(FILES[name][None]).permute(0, 3, 1, 2).float() / 255

    def options(pipe):
        pipe.load_ip_adapter(str(at), subfolder="", weight_name="ip-adapter.safetensors")
        pipe.set_ip_adapter_scale(scale)
        begin = {}
        if recipe.reference:
            begin = {"image": picture(recipe.reference), "strength": recipe.group.strength}
        if recipe.mask:
            begin["mask_image"] = (picture(recipe.mask)[:, :1] > 0.5).float()
        if recipe.control_image:
            begin["image"] = picture(recipe.control_image)
        return {
            **begin,
            "negative_prompt": recipe.negative or None,
            "ip_adapter_image": Image.fromarray(SEEN[recipe.likeness_image]),
        }

    return painted_bare(path, recipe, options, **more)


def ways(pipeline):
    family = family_of(pipeline)
    yield {}, {}
    yield {"pipeline": family.image_to_image, "strength": 0.75}, {"reference": "dark"}
    parts = {"reference": "dark", "mask": "left"}
    yield {"pipeline": family.inpaint, "strength": 0.75}, parts


@pytest.mark.parametrize("way", range(3))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pipeline", NAMES)
def test_a_picture_that_is_like_another_is_the_one_that_diffusers_paints(
    engine, folder, made, pipeline, kind, way
):
    path, at = folder(pipeline), made(pipeline, kind)
    changes, files = list(ways(pipeline))[way]
    one = like(path, at, batch=1, image="blue", files=files, **changes)[0]
    painted = engine.paint([one], str(path), **how(at)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, at, one, 0.7)).max() == 0


def test_a_style_comes_through_its_own_layer_alone(engine, folder, made):
    path, at = folder(XL), made(XL, "plus")
    one = like(path, at, of="style", batch=1)[0]
    painted = engine.paint([one], str(path), **how(at)).pixels[0]
    expected = bare(path, at, one, {"up": {"block_0": [0.0, 0.7]}})
    assert np.abs(painted.astype(int) - expected).max() == 0
    all_of_it = like(path, at, batch=1)[:1]
    assert hashes(engine, all_of_it, path, **how(at)) != [pixels_digest(painted)]


@pytest.mark.parametrize("pipeline", NAMES)
def test_one_that_follows_a_control_too_is_the_one_that_diffusers_paints(
    engine, folder, made, tmp_path, pipeline
):
    path, at = folder(pipeline), made(pipeline)
    net = control_of(path, tmp_path / "net")
    control = Control(digest=control_digest(net), scale=1.0)
    own = family_of(pipeline).controlled[pipeline]
    one = like(path, at, batch=1, pipeline=own, control=control, files={"control_image": "left"})[
        0
    ]
    painted = engine.paint([one], str(path), control_folder=str(net), **how(at)).pixels[0]
    expected = bare(path, at, one, 0.7, controlnet=ControlNetModel.from_pretrained(net))
    assert np.abs(painted.astype(int) - expected).max() == 0


@pytest.mark.parametrize("guidance", [1.0, 5.0])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_stand_alone_beside_others_that_are_like_others(
    engine, folder, made, kind, guidance
):
    path, at = folder(NAMES[0]), made(NAMES[0], kind)
    red, blue = (like(path, at, image=name, guidance=guidance) for name in SEEN)
    assert_pictures_stand_alone(engine, [red[0], blue[1], red[2]], path, **how(at))
    assert hashes(engine, blue[:1], path, **how(at)) != hashes(engine, red[:1], path, **how(at))
    weak = like(path, at, scale=0.1, guidance=guidance)
    assert hashes(engine, weak[:1], path, **how(at)) != hashes(engine, red[:1], path, **how(at))


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_painted_as_if_it_had_never_been_there(folder, made, kind):
    path, at = folder(XL), made(XL, kind)
    plain = recipes(group(path))
    begun = recipes(group(path, pipeline=family_of(XL).image_to_image, strength=0.75))
    begun = [replace(one, reference="dark") for one in begun]
    fresh = Engine(device="cpu", threads=1)
    expected = hashes(fresh, plain, path) + hashes(fresh, begun, path, references=FILES)
    engine = Engine(device="cpu", threads=1)
    for _ in range(2):
        first = hashes(engine, like(path, at), path, **how(at))
        assert not set(first) & set(expected)
        again = hashes(engine, plain, path) + hashes(engine, begun, path, references=FILES)
        assert again == expected
    assert engine.paint(plain, str(path)).canary == fresh.paint(plain, str(path)).canary
    assert hashes(engine, like(path, at), path, **how(at)) == first


def test_it_has_previews_and_goes_on_where_it_was_parked(folder, made):
    path, at, looks = folder(XL), made(XL, "plus"), Looks()
    engine = Engine(device="cpu", threads=1)
    batch = like(path, at, steps=8)
    painted = engine.paint(batch, str(path), Previews(every=4), on_preview=looks, **how(at)).pixels
    assert sorted(looks) == [4]
    parked = engine.paint(batch, str(path), until=3, **how(at)).parked
    again = engine.paint(batch, str(path), parked=parked, **how(at)).pixels
    assert list(map(pixels_digest, again)) == list(map(pixels_digest, painted))


def test_it_stands_beside_a_lora_whichever_came_first(folder, made, tmp_path):
    path, at = folder(NAMES[0]), made(NAMES[0])
    lora = tmp_path / "style.safetensors"
    unet = UNet2DConditionModel.from_pretrained(path / "unet")
    torch.manual_seed(1)
    save_file(
        {
            f"unet.{name}.lora_{part}.weight": torch.randn(shape) * 0.3
            for name, module in unet.named_modules()
            if name.endswith(("to_q", "to_k", "to_v"))
            for part, shape in (
                ("A", (2, module.in_features)),
                ("B", (module.out_features, 2)),
            )
        },
        lora,
    )
    laid = (Adapter(digest=file_digest(lora), scale=0.8),)
    both, plain = like(path, at, adapters=laid), recipes(group(path, adapters=laid))
    with_lora = {"adapter_paths": [str(lora)]}
    one, other = (Engine(device="cpu", threads=1) for _ in range(2))
    first = hashes(one, both, path, **with_lora, **how(at))
    bare_lora = hashes(other, plain, path, **with_lora)
    likened = hashes(other, like(path, at), path, **how(at))
    assert hashes(other, both, path, **with_lora, **how(at)) == first
    assert hashes(one, plain, path, **with_lora) == bare_lora
    assert hashes(one, like(path, at), path, **how(at)) == likened
    assert len({*first, *bare_lora, *likened}) == 9


def test_another_takes_the_place_of_the_one_before(folder, made, tmp_path):
    path, at = folder(NAMES[0]), made(NAMES[0])
    other = ip_adapter_of(path, tmp_path / "other", kind="plus", seed=7)
    engine = Engine(device="cpu", threads=1)
    first = hashes(engine, like(path, at), path, **how(at))
    warm = next(iter(engine.warm.values()))
    gone = weakref.ref(warm.pipeline.denoiser.encoder_hid_proj)
    assert warm.bytes > warm.own_bytes
    second = hashes(engine, like(path, other), path, **how(other))
    assert not set(first) & set(second)
    gc.collect()
    assert gone() is None
    assert hashes(engine, like(path, at), path, **how(at)) == first


def test_another_pipeline_gives_way_to_it_and_never_its_own(folder, made):
    path, at = folder(NAMES[0]), made(NAMES[0])
    one = bytes_in_files(path, torch.float32)
    beside = sum(file.stat().st_size for file in at.rglob("*.safetensors"))
    engine = Engine(device="cpu", threads=1, memory=int(1.5 * one + beside / 2))
    hashes(engine, recipes(group(path, dtype="bfloat16")), path)
    hashes(engine, recipes(group(path)), path)
    assert [dtype for _, dtype in engine.warm] == ["bfloat16", "float32"]
    first = hashes(engine, like(path, at), path, **how(at))
    assert [dtype for _, dtype in engine.warm] == ["float32"]
    engine = Engine(device="cpu", threads=1, memory=int(one + beside / 2))
    assert hashes(engine, like(path, at), path, **how(at)) == first
    assert len(engine.warm) == 1


def test_digests_know_the_likeness_and_old_digests_stay(folder, made):
    path, at = folder(XL), made(XL)
    kinds = [
        like(path, at)[0],
        like(path, at, scale=0.5)[0],
        like(path, at, of="style")[0],
        like(path, at, image="blue")[0],
    ]
    assert len({recipe.digest for recipe in kinds}) == 4
    assert [Recipe.from_json(recipe.to_json()) for recipe in kinds] == kinds
    assert not {"likeness", "likeness_image"} & recipes(group(path))[0].to_json().keys()
    assert kinds[0].group.shape.endswith(":likeness")  # which takes longer


def test_what_no_picture_can_be_made_like_is_a_sentence(folder, made, tmp_path):
    path, at = folder(NAMES[0]), made(NAMES[0])
    changed = shutil.copytree(at, tmp_path / "changed")
    _changed(changed, lambda tensors: tensors | {"image_proj.norm.bias": torch.ones(32)})
    for batch, folder_, error, words in (
        (like(path, at), None, BadRequest, "was not named"),
        (like(path, at, image="gone"), at, BadRequest, "gone that a render is to be like"),
        (like(path, at), tmp_path / "nowhere", PartMissing, "nowhere is missing on"),
        (like(path, at), changed, WeightsChanged, "has changed since the campaign"),
    ):
        with pytest.raises(error, match=words):
            Engine(device="cpu", threads=1).paint(
                batch, str(path), references=FILES, likeness_folder=folder_ and str(folder_)
            )
    (changed / "ip-adapter.safetensors").write_bytes(b"no weights")
    likeness = Likeness(digest=ip_adapter_digest(changed), scale=1.0, of="all")
    broken = recipes(group(path, likeness=likeness), likeness_image="red")
    engine = Engine(device="cpu", threads=1)
    with pytest.raises(PartMissing, match="The IP-Adapter changed cannot be loaded"):
        engine.paint(broken, str(path), **how(changed))
    plain = recipes(group(path))  # and the pipeline is what it was
    assert hashes(engine, plain, path) == hashes(Engine(device="cpu", threads=1), plain, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: shutil.rmtree(at / "image_encoder"), "is no IP-Adapter: its folder needs"),
        (
            lambda at: _set(at, model_type="siglip_vision_model"),
            "is that of a siglip_vision_model",
        ),
        (lambda at: (at / "image_encoder" / "model.safetensors").unlink(), "has no weights"),
        (lambda at: _cut(at / "image_encoder" / "model.safetensors"), "not a whole safetensors"),
        (lambda at: _cut(at / "ip-adapter.safetensors"), "not a whole safetensors"),
        (lambda at: (at / "ip-adapter.safetensors").unlink(), r"there are 0 \(none\)"),
        (
            lambda at: shutil.copy(at / "ip-adapter.safetensors", at / "a.safetensors"),
            r"there are 2 \(a.safetensors, ip-adapter.safetensors\)",
        ),
        (lambda at: _set(at, projection_dim=24), "takes 16 numbers of a picture, and its image"),
        (lambda at: _set(at, intermediate_size=48), "the config is another model's"),
        (
            lambda at: _changed(at, lambda tensors: _without(tensors, "image_proj.norm.weight")),
            'no IP-Adapter can be made of .* Missing key.*"norm.weight"',
        ),
        (
            lambda at: _changed(at, lambda tensors: _without(tensors, "image_proj.proj.weight")),
            "Those that read the identity of faces need another program",
        ),
        (
            lambda at: _changed(
                at, lambda tensors: _without(tensors, "ip_adapter.3.to_v_ip.weight")
            ),
            r"to_k_ip.weight is \[32, 32\], and ip_adapter.3.to_v_ip.weight \[\]",
        ),
    ],
)
def test_a_folder_that_is_no_whole_ip_adapter_is_refused(made, tmp_path, change, words):
    at = shutil.copytree(made(NAMES[0]), tmp_path / "mood")
    assert inspect_ip_adapter("mood", at).digest == ip_adapter_digest(at)
    change(at)
    with pytest.raises(RequestError, match=words):
        inspect_ip_adapter("mood", at)


def test_one_that_does_not_fit_the_model_is_told(folder, made):
    mood, family = inspect_ip_adapter("mood", made(XL)), family_of(XL)
    unet = json.loads((folder(XL) / "unet" / "config.json").read_text())
    assert likeness_misfit(mood, family, "style", unet) is None
    assert "lacks the layers that make the layout" in likeness_misfit(mood, family, "layout", unet)
    small = {**unet, "cross_attention_dim": 768}
    assert "texts of the width 64, and" in likeness_misfit(mood, family, "all", small)
    deep = {**unet, "transformer_layers_per_block": [1, 2]}
    assert "adds to 4 layers, and of the campaign's model 8 read texts" in likeness_misfit(
        mood, family, "all", deep
    )
    one = likeness_misfit(mood, family_of(NAMES[0]), "style", unet)
    assert (
        one == "of a picture, models of Stable Diffusion 1 and 2 take all, and not its style"
        " alone."
    )


@pytest.mark.parametrize(
    "config",
    [
        dict(transformer_layers_per_block=(1, 3), layers_per_block=2),
        dict(transformer_layers_per_block=2, layers_per_block=(1, 2)),
        dict(
            transformer_layers_per_block=[0, [1, 2]],
            reverse_transformer_layers_per_block=[[3, 2, 1], 0],
            layers_per_block=2,
            mid_block_type=None,
        ),
    ],
)
def test_the_layers_of_a_config_are_those_of_its_unet_in_their_order(config):
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32), norm_num_groups=8, cross_attention_dim=32,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **config,
    )  # fmt: skip
    names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    found = [
        (name.removesuffix(".attn2.processor"),
         unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0])
        for name in names
    ]  # fmt: skip
    assert list(layers_of(unet.config)) == found


def test_the_encoder_is_the_one_of_its_folder(folder, made):
    path, at = folder(NAMES[0]), made(NAMES[0])
    engine = Engine(device="cpu", threads=1)
    hashes(engine, like(path, at, dtype="bfloat16"), path, **how(at))
    kept = next(iter(engine.warm.values())).ip_adapters._encoder
    assert isinstance(kept, CLIPVisionModelWithProjection)
    assert kept.dtype == torch.bfloat16
    assert not kept.training


def _set(folder, **values):
    config = folder / "image_encoder" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **values}))


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _changed(folder, change):
    file = folder / "ip-adapter.safetensors"
    save_file(change(load_file(file)), file)


def _without(tensors, name):
    return {key: tensor for key, tensor in tensors.items() if key != name}
