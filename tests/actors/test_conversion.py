"""Single-file checkpoints: the folder that is made of one has its weights, bit for bit."""

import json
import shutil
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.models import conversion as asking
from actors.models.models import inspect_model
from actors.painting.conversion import dtype_of, fault_of
from tests.pipelines import stable_diffusion
from tests.single_file import save_single_file

PARTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}


@pytest.fixture(scope="module")
def pipe():
    """Of other weights than the folder that it is like."""
    torch.manual_seed(5)
    return stable_diffusion()


@pytest.fixture
def like(folder):
    return folder("StableDiffusionPipeline")


def assert_same(out, part, module):
    converted, wanted = load_file(out / PARTS[part]), module.state_dict()
    assert converted.keys() == wanted.keys()
    assert all(torch.equal(converted[name], wanted[name]) for name in wanted)


def changed_copy(like, tmp_path, **entries):
    copy = shutil.copytree(like, tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, **entries}))
    return copy


def test_a_checkpoint_becomes_a_folder_with_its_weights_and_the_other_s_configs(
    pipe, like, tmp_path
):
    file = save_single_file(pipe, tmp_path / "one.safetensors")
    assert fault_of(file, like, tmp_path / "out") is None
    for part in PARTS:
        assert_same(tmp_path / "out", part, getattr(pipe, part))
    made, known = inspect_model("made", tmp_path / "out"), inspect_model("known", like)
    assert made.digest != known.digest
    assert (made.pipeline, made.size, made.guidance) == (
        known.pipeline,
        known.size,
        known.guidance,
    )


def test_half_precision_stays_half(pipe, like, tmp_path):
    half = {name: t.half() for name, t in load_file(
        save_single_file(pipe, tmp_path / "one.safetensors")).items()}  # fmt: skip
    save_file(half, tmp_path / "half.safetensors")
    assert dtype_of(tmp_path / "half.safetensors") is torch.float16
    assert fault_of(tmp_path / "half.safetensors", like, tmp_path / "out") is None
    converted = load_file(tmp_path / "out" / PARTS["unet"])
    wanted = {name: tensor.half() for name, tensor in pipe.unet.state_dict().items()}
    assert all(torch.equal(converted[name], wanted[name]) for name in wanted)


def test_the_type_is_that_of_most_numbers(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(9), "b": torch.zeros(10, dtype=torch.bfloat16)}, path)
    assert dtype_of(path) is torch.bfloat16
    save_file({"a": torch.zeros(9), "b": torch.zeros(8, dtype=torch.bfloat16)}, path)
    assert dtype_of(path) is torch.float32
    save_file({}, path)
    assert dtype_of(path) is torch.float32


def test_a_text_encoder_that_the_checkpoint_lacks_is_the_other_s(pipe, like, tmp_path):
    file = save_single_file(pipe, tmp_path / "one.safetensors", without="cond_stage_model")
    assert fault_of(file, like, tmp_path / "out") is None
    assert_same(tmp_path / "out", "unet", pipe.unet)
    mine, others = (
        load_file(tmp_path / "out" / PARTS["text_encoder"]),
        load_file(like / PARTS["text_encoder"]),
    )
    assert all(torch.equal(mine[name], others[name]) for name in others)


def test_what_neither_has_is_named(pipe, like, tmp_path):
    bare = shutil.copytree(like, tmp_path / "bare")
    (bare / PARTS["text_encoder"]).unlink()
    file = save_single_file(pipe, tmp_path / "one.safetensors", without="cond_stage_model")
    fault = fault_of(file, bare, tmp_path / "out")
    assert fault.startswith("Failed to load CLIPTextModel. Weights for this component appear to")
    assert fault.endswith(
        "Name a --like folder of the same kind of model, which has what it lacks."
    )


def test_a_folder_that_could_run_code_is_not_gone_by(pipe, like, tmp_path):
    file = save_single_file(pipe, tmp_path / "one.safetensors")
    pickled = shutil.copytree(like, tmp_path / "pickled")
    (pickled / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "has pickled files like diffusion_pytorch_model.bin" in fault_of(
        file, pickled, tmp_path / "out"
    )
    foreign = changed_copy(like, tmp_path, vae=["os", "system"])
    assert fault_of(file, foreign, tmp_path / "out") == (
        "its vae is of os, which is not loaded here."
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["DiffusionPipeline", "os", "AuraFlowPipelineX", "FluxModularPipeline"]
)
def test_a_pipeline_that_is_none_is_refused(like, tmp_path, name):
    copy = changed_copy(like, tmp_path, _class_name=name)
    assert fault_of(tmp_path / "x", copy, tmp_path / "out") == (
        f"diffusers makes no {name} of a single file."
    )


def test_a_file_that_is_no_checkpoint_is_a_sentence(like, tmp_path):
    file = tmp_path / "one.safetensors"
    file.write_bytes(b"not safetensors")
    assert "--like" in fault_of(file, like, tmp_path / "out")
    save_file({"unrelated": torch.zeros(3)}, file)
    assert "--like" in fault_of(file, like, tmp_path / "out")
    assert "model_index.json is missing" in fault_of(file, tmp_path, tmp_path / "out")


def test_the_program_answers_whoever_loads_no_torch(pipe, like, tmp_path):
    file = save_single_file(pipe, tmp_path / "one.safetensors")
    assert asking.fault_in(file, like, tmp_path / "out") is None
    assert_same(tmp_path / "out", "vae", pipe.vae)


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (subprocess.CompletedProcess((), 0, 'noise\n"a fault."\n', ""), "a fault."),
        (subprocess.CompletedProcess((), -9, "", "Killed"), "ended early"),
        (subprocess.CompletedProcess((), 1, "no json\n", ""), "ended early"),
        (subprocess.TimeoutExpired("x", 1), "more than 1 hour"),
    ],
)
def test_a_program_that_ends_badly_is_a_sentence(monkeypatch, tmp_path, ended, told):
    def run(*_, **__):
        if isinstance(ended, Exception):
            raise ended
        return ended

    monkeypatch.setattr(subprocess, "run", run)
    assert told in asking.fault_in(tmp_path, tmp_path, tmp_path)
