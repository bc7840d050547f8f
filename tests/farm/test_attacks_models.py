"""Attacks by what is in a model's folder: cases 15 to 18 of the holes that other projects had.
Each test is named by its case.
"""

import json
import pickle
import shutil

import pytest

from actors.models.foreign_code import foreign_code
from actors.models.models import SEEDLING, find_model
from actors.models.source import Facts
from farm.service.intake import Intake
from storage.errors import RequestError
from tests.campaigns import campaign

CONFIG, INDEX = "text_encoder/config.json", "model_index.json"


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(SEEDLING, tmp_path / "model")


class Evil:
    """Writes a file once it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusal(model):
    with pytest.raises(RequestError) as refused:
        find_model(str(model))
    return str(refused.value)


# --- 15: keys of a config that fetch code ---


@pytest.mark.parametrize(
    "changes",
    [
        {"_attn_implementation_internal": "evil/kernel"},
        {"_attn_implementation": "evil/kernel:run"},
        {"attn_implementation": {"": "evil/kernel"}},
        {"trust_remote_code": True},
        {"text_config": {"deep": [{"trust_remote_code": 1}]}},
        {"vision_config": {"_attn_implementation_internal": "evil/kernel@main"}},
    ],
)
def test_case_15_a_config_that_fetches_code_is_refused_however_deep_it_stands(model, changes):
    edit(model / CONFIG, **changes)
    said = refusal(model)
    assert "text_encoder/config.json has " in said
    assert "which fetches code and runs it: take the key out" in said


def test_case_15_keys_that_name_no_code_are_taken():
    plain = {"attn_implementation": "sdpa", "trust_remote_code": False, "a": [{"b": "c/d"}]}
    assert list(foreign_code(Facts({}, {"unet": plain}))) == []


def test_case_15_code_beside_a_model_is_never_run(model, tmp_path):
    marker = tmp_path / "ran"
    for folder in (model, model / "text_encoder"):
        (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass\n")
    edit(model / CONFIG, auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"})
    assert find_model(str(model)).pipeline == "StableDiffusionPipeline"
    assert not marker.exists()


# --- 16: an index of shards that leads elsewhere ---


@pytest.mark.parametrize("shard", ["../../etc/x", "/etc/passwd", "a/b.safetensors", "", 3])
def test_case_16_an_index_of_shards_names_no_file_elsewhere(model, shard):
    weights = next((model / "unet").glob("*.safetensors"))
    index = {"metadata": {}, "weight_map": {"conv_in.weight": shard}}
    weights.with_name(f"{weights.name}.index.json").write_text(json.dumps(index))
    weights.unlink()
    assert "no .safetensors file beside it" in refusal(model)


# --- 17: a pipeline that is another repository's ---


@pytest.mark.parametrize(
    "changes",
    [
        {"_class_name": ["evil/pipeline", "X"]},
        {"_class_name": "evil/pipeline"},
        {"_class_name": "../x"},
        {"_class_name": "ModularPipeline"},
        {"unet": ["evil/repository", "UNet2DConditionModel"]},
        {"unet": ["evil.module", "UNet2DConditionModel"]},
        {"unet": [None, None, {"repo": "evil/repository"}]},
    ],
)
def test_case_17_no_model_points_at_the_code_of_another(model, changes):
    edit(model / INDEX, **changes)
    assert str(model) in refusal(model)


def test_case_17_a_modular_model_is_none(model):
    (model / "modular_model_index.json").write_text((model / INDEX).read_text())
    (model / INDEX).unlink()
    assert str(model) in refusal(model)


# --- 18: pickles ---


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "pytorch_model.bin", "model.pt"])
def test_case_18_pickled_weights_are_never_opened(model, tmp_path, name):
    weights = next((model / "unet").glob("*.safetensors"))
    weights.unlink()
    weights.with_name(name).write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    assert "unet" in refusal(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["a.pt", "a.bin", "a.ckpt", "a.safetensors", "random_states_0.pkl"]
)
def test_case_18_no_adapter_is_a_pickle_whatever_its_name(outputs, tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(RequestError, match="adapters"):
        Intake(outputs).check(
            "p", campaign(adapters=[{"lora": str(tmp_path / name)}]), find_model("seedling")
        )
    assert not (tmp_path / "ran").exists()
