"""LoRA adapters on tiny pipelines: they count, they leave no trace, and none is skipped in
silence.
"""

import hashlib

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.painting.adapters import _KEPT
from actors.painting.engine import Engine
from actors.recipes.errors import BadRequest
from actors.recipes.recipe import Adapter
from tests.actors.tiny import SHADES, assert_pictures_stand_alone, group, hashes, recipes
from tests.adapters import save_adapter
from tests.pipelines import FREE

pytestmark = pytest.mark.usefixtures("unproved")

TAKING = [family.pipeline for family in FREE if family.takes_adapters]
SD = "StableDiffusionPipeline"


@pytest.fixture
def engine():
    return Engine(device="cpu", threads=1)


def adapter(file, scale=1.0):
    return Adapter(digest=hashlib.sha256(file.read_bytes()).hexdigest(), scale=scale)


def with_adapters(path, *files, scale=1.0, **changes):
    """Recipes with these adapters, and how the engine is told where they are."""
    in_group = group(path, adapters=tuple(adapter(file, scale) for file in files), **changes)
    return recipes(in_group), {"adapter_paths": [str(file) for file in files]}


@pytest.mark.parametrize("pipeline", TAKING)
def test_an_adapter_changes_the_picture_and_leaves_no_trace(engine, folder, tmp_path, pipeline):
    path = folder(pipeline)
    one, other = (save_adapter(path, tmp_path / f"{k}.safetensors", seed=k) for k in (1, 2))
    base = hashes(engine, recipes(group(path)), path)
    warm = next(iter(engine.warm.values()))
    seen = {tuple(base)}
    for files, scale in (([one], 1.0), ([other], 1.0), ([one], 0.5), ([one, other], 1.0)):
        batch, how = with_adapters(path, *files, scale=scale)
        seen.add(tuple(hashes(engine, batch, path, **how)))
    assert len(seen) == 5
    batch, how = with_adapters(path, one, other)
    assert_pictures_stand_alone(engine, batch, path, **how)
    assert hashes(engine, recipes(group(path)), path) == base
    assert next(iter(engine.warm.values())) is warm  # the base model was not read again


def test_an_adapter_may_change_the_text_encoder_and_a_picture_from_a_reference(
    engine, folder, tmp_path
):
    path = folder(SD)
    both, half = (
        save_adapter(path, tmp_path / f"{name}.safetensors", text=name == "both")
        for name in ("both", "half")
    )
    base = hashes(engine, recipes(group(path)), path)
    told = set()
    for file in (both, half):
        batch, how = with_adapters(path, file)
        told.add(tuple(hashes(engine, batch, path, **how)))
    assert len(told | {tuple(base)}) == 3
    assert hashes(engine, recipes(group(path)), path) == base
    plain = recipes(group(path, strength=0.5), reference="dark")
    batch, how = with_adapters(path, both, strength=0.5)
    dark = [recipe.__class__(**{**recipe.__dict__, "reference": "dark"}) for recipe in batch]
    assert hashes(engine, dark, path, references=SHADES, **how) != hashes(
        engine, plain, path, references=SHADES
    )


def test_few_adapters_are_kept_and_a_folder_with_one_file_is_an_adapter(engine, folder, tmp_path):
    path = folder(SD)
    files = [
        save_adapter(path, tmp_path / f"many{k}" / "one.safetensors", seed=k)
        for k in range(_KEPT + 2)
    ]
    painted = []
    for file in [*files, files[0]]:
        batch, _ = with_adapters(path, file, steps=1)
        painted.append(hashes(engine, batch[:1], path, adapter_paths=[str(file.parent)]))
    assert painted[0] == painted[-1]
    (warm,) = engine.warm.values()
    assert len(warm.adapters._loaded) == _KEPT
    assert set(warm.pipeline.pipe.unet.peft_config) == set(warm.adapters._loaded)


def broken(how, path, other, tmp_path):
    file = save_adapter(path, tmp_path / "broken.safetensors")
    tensors = load_file(file)
    match how:
        case "wrong family":
            save_adapter(other, file)
        case "wrong shape":
            save_file(
                {
                    name: torch.cat([value, value], dim=1 if "lora_A" in name else 0)
                    for name, value in tensors.items()
                },
                file,
            )
        case "no adapter":
            save_file({"unet.conv_in.weight": torch.zeros(4)}, file)
        case "one layer that is not there":
            name = next(name for name in tensors if "lora_A" in name)
            pair = {
                key.replace("unet.", "unet.gone."): tensors[key].clone()
                for key in (name, name.replace("lora_A", "lora_B"))
            }
            save_file(tensors | pair, file)
        case "half a pair":
            del tensors[next(name for name in tensors if "lora_B" in name)]
            save_file(tensors, file)
        case "DoRA":
            save_file(tensors | {"unet.x.dora_scale": torch.zeros(4)}, file)
        case "cut off":
            file.write_bytes(file.read_bytes()[:-100])
        case "pickle":
            file = tmp_path / "broken.bin"
            torch.save(tensors, file)
        case "gone":
            file.rename(tmp_path / "elsewhere")
    return file


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("wrong family", "does not fit a StableDiffusionPipeline"),
        ("wrong shape", "does not fit"),
        ("no adapter", "does not fit"),
        ("one layer that is not there", "does not fit"),
        ("half a pair", "does not fit"),
        ("DoRA", "is a DoRA"),
        ("cut off", "does not fit"),
        ("pickle", "neither a .safetensors file nor a folder"),
        ("gone", "neither a .safetensors file nor a folder"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_by_name_and_harms_nobody(
    engine, folder, tmp_path, how, words
):
    path = folder(SD)
    file = broken(how, path, folder("FluxPipeline"), tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0" * 64
    base = hashes(engine, recipes(group(path)), path)
    good, told = with_adapters(path, save_adapter(path, tmp_path / "good.safetensors", seed=9))
    for _ in range(2):
        assert hashes(engine, good, path, **told) != base
        with pytest.raises(BadRequest, match=words) as error:
            engine.paint(
                recipes(group(path, adapters=(Adapter(digest=digest, scale=1.0),))),
                str(path),
                adapter_paths=[str(file)],
            )
        assert str(file) in str(error.value)
    assert hashes(engine, recipes(group(path)), path) == base


def test_an_adapter_that_changed_or_that_nothing_can_use_is_refused(engine, folder, tmp_path):
    file = save_adapter(folder(SD), tmp_path / "a.safetensors")
    for pipeline, digest, words in (
        (SD, "0" * 64, "has changed"),
        ("PixArtSigmaPipeline", adapter(file).digest, "takes no adapters"),
    ):
        batch = recipes(group(folder(pipeline), adapters=(Adapter(digest=digest, scale=1.0),)))
        with pytest.raises(BadRequest, match=words):
            engine.paint(batch, str(folder(pipeline)), adapter_paths=[str(file)])


def test_an_adapter_as_kohya_writes_it_is_the_same_adapter(engine, folder, tmp_path):
    path = folder(SD)
    file = save_adapter(path, tmp_path / "a.safetensors", rank=4, text=True)
    renamed = {}
    for name, value in load_file(file).items():
        part, _, rest = name.partition(".")
        layer, _, half = rest.partition(".lora_")
        layer = layer if part == "unet" else f"text_model.{layer.removeprefix('text_model.')}"
        kohya = f"lora_{'unet' if part == 'unet' else 'te'}_{layer.replace('.', '_')}"
        renamed[f"{kohya}.lora_{'down' if half.startswith('A') else 'up'}.weight"] = value
        renamed[f"{kohya}.alpha"] = torch.tensor(4.0)
    save_file(renamed, tmp_path / "kohya.safetensors")
    painted = []
    for each in (file, tmp_path / "kohya.safetensors"):
        batch, how = with_adapters(path, each)
        painted.append(hashes(engine, batch, path, **how))
    assert painted[0] == painted[1]
