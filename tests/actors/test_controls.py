"""Pictures that follow another by a ControlNet: beside the bare pipeline of diffusers, in any
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
from diffusers import ControlNetModel, ControlNetUnionModel

from actors.models.controls import control_digest, control_misfit, inspect_control, mode_misfit
from actors.models.families import FAMILIES, family_of
from actors.painting.engine import Engine
from actors.painting.memory import bytes_in_files
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest, PartMissing, WeightsChanged
from actors.recipes.previews import Previews
from actors.recipes.recipe import Control, Recipe
from storage.errors import RequestError
from tests.actors.bare import painted_bare
from tests.actors.tiny import SHADES, Looks, assert_pictures_stand_alone, group, hashes, recipes
from tests.pipelines import control_of, union_of

pytestmark = pytest.mark.usefixtures("unproved")

XL = "StableDiffusionXLPipeline"
NAMES = [family.pipeline for family in FAMILIES if family.controlled]
EDGES = np.zeros((32, 64, 3), np.uint8)
EDGES[8:24, 20] = EDGES[8:24, 44] = 255
LEFT = np.zeros((32, 64, 3), np.uint8)
LEFT[:, :32] = 255
FILES = {**SHADES, "edges": EDGES, "left": LEFT}


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


@pytest.fixture(scope="module")
def nets(tmp_path_factory, folder):
    """The folder of a ControlNet for a pipeline, built once."""
    root, built = tmp_path_factory.mktemp("controls"), {}

    def net(pipeline):
        if pipeline not in built:
            built[pipeline] = control_of(folder(pipeline), root / pipeline)
        return built[pipeline]

    return net


def led(
    path, net, plain=None, *,
    scale=0.8, until=1.0, mode=None, image="edges", files=None, **changes,
):  # fmt: skip
    """Recipes that follow a picture, by the class that does so in the place of `plain`."""
    own = group(path)
    control = Control(digest=control_digest(net), scale=scale, until=until, mode=mode)
    family = family_of(own.pipeline)
    beside = family.controlled if mode is None else family.united
    pipeline = beside[plain or own.pipeline]
    made_of = group(path, **{"pipeline": pipeline, "control": control, **changes})
    return recipes(made_of, control_image=image, **(files or {}))


def ways(path):
    """The classes of a family without a ControlNet, with what else a recipe of each needs."""
    family = family_of(group(path).pipeline)
    yield family.pipeline, {}, {}
    yield family.image_to_image, {"strength": 0.75}, {"reference": "dark"}
    yield family.inpaint, {"strength": 0.75}, {"reference": "dark", "mask": "left"}


def bare(path, net, recipe):
    """What diffusers paints of a recipe that follows a picture."""
    made_of, control = recipe.group, recipe.group.control
    kind = ControlNetModel if control.mode is None else ControlNetUnionModel

    def picture(name):
        return torch.from_numpy(FILES[name][None]).permute(0, 3, 1, 2).float() / 255

    begin = {"image": picture(recipe.control_image)}
    if recipe.reference:
        begin = {
            "image": picture(recipe.reference),
            "control_image": begin["image"],
            "strength": made_of.strength,
        }
    if control.mode is not None:
        followed = begin.pop("control_image" if recipe.reference else "image")
        begin |= {"control_image": [followed], "control_mode": [control.mode]}
    if recipe.mask:
        begin["mask_image"] = (picture(recipe.mask)[:, :1] > 0.5).float()
    options = {
        **begin,
        "negative_prompt": recipe.negative or None,
        "controlnet_conditioning_scale": control.scale,
        "control_guidance_end": control.until,
    }
    net = kind.from_pretrained(net)
    return painted_bare(path, recipe, lambda _pipe: options, controlnet=net)


@pytest.mark.parametrize("way", range(3))
@pytest.mark.parametrize("pipeline", NAMES)
def test_a_picture_that_follows_another_is_the_one_that_diffusers_paints(
    engine, folder, nets, pipeline, way
):
    path, net = folder(pipeline), nets(pipeline)
    plain, changes, files = list(ways(path))[way]
    one = led(path, net, plain, until=0.5, batch=1, files=files, **changes)[0]
    painted = engine.paint([one], str(path), references=FILES, control_folder=str(net)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, net, one)).max() == 0


@pytest.fixture(scope="module")
def union(tmp_path_factory, folder):
    """The model, and a union of several ControlNets for it."""
    path = folder(XL)
    at = tmp_path_factory.mktemp("unions") / "union"
    return path, union_of(path, at)


@pytest.mark.parametrize("way", range(3))
def test_a_union_follows_as_the_one_of_diffusers_does(engine, union, way):
    path, net = union
    plain, changes, files = list(ways(path))[way]
    one = led(path, net, plain, mode=3, until=0.5, batch=1, files=files, **changes)[0]
    painted = engine.paint([one], str(path), references=FILES, control_folder=str(net)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, net, one)).max() == 0


def test_pictures_of_a_union_stand_alone_and_depend_on_its_kind(engine, union):
    path, net = union
    how = {"references": FILES, "control_folder": str(net)}
    batch = [
        led(path, net, mode=3)[0],
        led(path, net, mode=3, image="left")[1],
        led(path, net, mode=3)[2],
    ]
    assert_pictures_stand_alone(engine, batch, path, **how)
    depth = led(path, net, mode=1)
    assert hashes(engine, depth[:1], path, **how) != hashes(engine, batch[:1], path, **how)
    parked = engine.paint(batch, str(path), until=2, **how).parked
    again = engine.paint(batch, str(path), parked=parked, **how).pixels
    assert list(map(pixels_digest, again)) == hashes(engine, batch, path, **how)
    three = [replace(one, group=replace(one.group, guidance=1.0)) for one in batch]
    assert len(set(hashes(engine, three, path, **how))) == 3  # without a negative beside it


@pytest.mark.parametrize("pipeline", NAMES)
def test_pictures_stand_alone_beside_others_that_follow_others(engine, folder, nets, pipeline):
    path, net = folder(pipeline), nets(pipeline)
    edges, left = led(path, net), led(path, net, image="left")
    batch = [edges[0], left[1], edges[2]]
    how = {"references": FILES, "control_folder": str(net)}
    assert_pictures_stand_alone(engine, batch, path, **how)
    assert hashes(engine, left[:1], path, **how) != hashes(engine, edges[:1], path, **how)
    weak = led(path, net, scale=0.1)
    assert hashes(engine, weak[:1], path, **how) != hashes(engine, edges[:1], path, **how)


def test_it_has_previews_and_goes_on_where_it_was_parked(engine, folder, nets):
    path, net, looks = folder(NAMES[0]), nets(NAMES[0]), Looks()
    batch, how = led(path, net, steps=8), {"references": FILES, "control_folder": str(net)}
    painted = engine.paint(batch, str(path), Previews(every=4), on_preview=looks, **how).pixels
    assert sorted(looks) == [4]
    calls = []
    beside = next(reversed(engine.warm.values())).pipeline.control
    hook = beside.register_forward_hook(lambda *_: calls.append(1))
    parked = engine.paint(batch, str(path), until=3, **how).parked
    assert len(calls) == 3
    again = engine.paint(batch, str(path), parked=parked, **how).pixels
    hook.remove()
    assert list(map(pixels_digest, again)) == list(map(pixels_digest, painted))
    # Pictures that follow none are what they would be without it.
    plain = recipes(group(path))
    assert hashes(engine, plain, path) == hashes(Engine(device="cpu", threads=1), plain, path)


def test_another_control_takes_the_place_of_the_one_before(folder, nets, tmp_path):
    path, net = folder(NAMES[0]), nets(NAMES[0])
    other = control_of(path, tmp_path / "other", seed=7)
    engine = Engine(device="cpu", threads=1)
    first = hashes(engine, led(path, net), path, references=FILES, control_folder=str(net))
    gone = weakref.ref(next(iter(engine.warm.values())).pipeline.control)
    second = hashes(engine, led(path, other), path, references=FILES, control_folder=str(other))
    assert not set(first) & set(second)
    gc.collect()
    assert gone() is None
    assert hashes(engine, led(path, net), path, references=FILES, control_folder=str(net)) == first
    warm = next(iter(engine.warm.values()))
    assert warm.bytes > warm.own_bytes


def test_another_pipeline_gives_way_to_a_control_and_never_its_own(folder, nets):
    path, net = folder(NAMES[0]), nets(NAMES[0])
    one = bytes_in_files(path, torch.float32)
    beside = (net / "diffusion_pytorch_model.safetensors").stat().st_size
    engine = Engine(device="cpu", threads=1, memory=int(1.5 * one + beside / 2))
    hashes(engine, recipes(group(path, dtype="bfloat16")), path)
    hashes(engine, recipes(group(path)), path)
    assert [dtype for _, dtype in engine.warm] == ["bfloat16", "float32"]
    how = {"references": FILES, "control_folder": str(net)}
    first = hashes(engine, led(path, net), path, **how)
    assert [dtype for _, dtype in engine.warm] == ["float32"]
    # Alone it stays, even if both are too much.
    engine = Engine(device="cpu", threads=1, memory=int(one + beside / 2))
    assert hashes(engine, led(path, net), path, **how) == first
    assert len(engine.warm) == 1


def test_digests_know_the_control_and_old_digests_stay(folder, nets):
    path, net = folder(NAMES[0]), nets(NAMES[0])
    kinds = [
        led(path, net)[0],
        led(path, net, scale=0.5)[0],
        led(path, net, until=0.5)[0],
        led(path, net, image="left")[0],
    ]
    kinds.append(
        replace(
            kinds[0],
            group=replace(kinds[0].group, control=replace(kinds[0].group.control, mode=3)),
        )
    )
    assert len({recipe.digest for recipe in kinds}) == 5
    assert [Recipe.from_json(recipe.to_json()) for recipe in kinds] == kinds
    assert "mode" not in kinds[0].to_json()["control"]
    plain = recipes(group(path))[0].to_json()
    assert not {"control", "control_image"} & plain.keys()
    assert kinds[0].group.shape.endswith(":control")  # which takes longer


def test_what_cannot_be_followed_is_a_sentence(folder, nets, tmp_path):
    path, net = folder(NAMES[0]), nets(NAMES[0])
    changed = tmp_path / "changed"
    shutil.copytree(net, changed)
    config = json.loads((changed / "config.json").read_text())
    (changed / "config.json").write_text(json.dumps({**config, "_note": "new"}))
    for batch, at, error, words in (
        (led(path, net), None, BadRequest, "was not named"),
        (led(path, net, image="gone"), net, BadRequest, "gone of a picture was not fetched"),
        (led(path, net, width=32), net, BadRequest, "has the shape"),
        (led(path, net), tmp_path / "nowhere", PartMissing, "nowhere is missing on"),
        (led(path, net), changed, WeightsChanged, "has changed since the campaign"),
    ):
        with pytest.raises(error, match=words):
            Engine(device="cpu", threads=1).paint(
                batch, str(path), references=FILES, control_folder=at and str(at)
            )
    (changed / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    digest = control_digest(changed)
    broken = led(path, net)
    control = replace(broken[0].group.control, digest=digest)
    broken = [replace(one, group=replace(one.group, control=control)) for one in broken]
    with pytest.raises(PartMissing, match="The ControlNet changed cannot be loaded"):
        Engine(device="cpu", threads=1).paint(
            broken, str(path), references=FILES, control_folder=str(changed)
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: (at / "config.json").unlink(), "is no ControlNet"),
        (lambda at: _set(at, _class_name="UNet2DConditionModel"), "is a UNet2DConditionModel"),
        (lambda at: (at / "diffusion_pytorch_model.safetensors").unlink(), "has no weights"),
        (lambda at: _cut(at / "diffusion_pytorch_model.safetensors"), "not a whole safetensors"),
        (lambda at: _set(at, cross_attention_dim=48), "the config is another model's"),
    ],
)
def test_a_folder_that_is_no_whole_controlnet_is_refused(nets, tmp_path, change, words):
    at = tmp_path / "canny"
    shutil.copytree(nets(NAMES[0]), at)
    assert inspect_control("canny", at).digest == control_digest(at)
    change(at)
    with pytest.raises(RequestError, match=words):
        inspect_control("canny", at)


def test_a_control_that_does_not_fit_the_model_is_told(nets):
    control = inspect_control("canny", nets(NAMES[0]))
    unet, vae = {**control.config}, {"block_out_channels": [1, 1]}
    assert control_misfit(control, unet, vae) is None
    other = control_misfit(control, {**unet, "cross_attention_dim": 768}, vae)
    assert "its cross_attention_dim is 32, and that of the campaign's model is 768" in other
    larger = control_misfit(control, unet, {})
    assert "pictures 2 times smaller, and the VAE of the campaign's model 8 times" in larger


def test_a_union_that_does_not_say_how_many_kinds_it_knows_knows_six(union):
    control = inspect_control("union", union[1])
    config = {name: value for name, value in control.config.items() if name != "num_control_type"}
    assert mode_misfit(replace(control, config=config), "segments") is None
    assert "it follows no tile" in mode_misfit(replace(control, config=config), "tile")
    assert mode_misfit(replace(control, config={**config, "num_control_type": 8}), "tile") is None


def _set(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])
