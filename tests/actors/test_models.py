import json
import os
import shutil

import pytest

from actors.models.families import family_of, is_known
from actors.models.models import SEEDLING, find_model, has_weights, inspect_model, weights_digest
from storage.errors import RequestError
from tests.pipelines import BUILDERS, save


@pytest.fixture
def folder(tmp_path):
    """A copy of the embedded model's folder that can be broken; weights are links, so that it
    costs nothing.
    """
    target = tmp_path / "model"
    shutil.copytree(SEEDLING, target)
    return target


def test_the_embedded_model_is_whole_and_small():
    model = find_model("seedling")
    assert (model.pipeline, model.size, model.batch) == ("StableDiffusionPipeline", (128, 128), 4)
    assert sum(path.stat().st_size for path in SEEDLING.rglob("*") if path.is_file()) <= 16_000_000
    assert not [
        path for path in SEEDLING.rglob("*") if path.suffix in (".bin", ".pt", ".ckpt", ".pkl")
    ]


def test_a_model_is_known_by_its_weights_not_by_its_name_or_place(folder):
    assert inspect_model("mine", folder).digest == find_model("seedling").digest
    with (folder / "unet" / "diffusion_pytorch_model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert weights_digest(folder) != find_model("seedling").digest


def test_a_card_beside_the_model_is_not_part_of_it(folder):
    before = weights_digest(folder)
    (folder / "README.md").write_text("about it")
    assert weights_digest(folder) == before


def broken(folder, how):
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    match how:
        case "no index":
            (folder / "model_index.json").unlink()
        case "no weights":
            unet.unlink()
        case "pickles":
            unet.rename(unet.with_suffix(".bin"))
        case "half weights":
            unet.write_bytes(unet.read_bytes()[:1000])
        case "no folder":
            shutil.rmtree(folder / "vae")
        case "other pipeline":
            (folder / "model_index.json").write_text(json.dumps({"_class_name": "AudioPipeline"}))
        case "no json":
            (folder / "model_index.json").write_text("{")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no index", "model_index.json is missing"),
        ("no weights", "no weights in unet"),
        ("pickles", "only pickled weights in unet"),
        ("half weights", "not a whole safetensors file"),
        ("no folder", "no weights in vae"),
        ("other pipeline", "is a AudioPipeline"),
        ("no json", "not a JSON file"),
    ],
)
def test_a_folder_that_cannot_be_painted_with_is_refused(folder, how, words):
    broken(folder, how)
    with pytest.raises(RequestError, match=words):
        find_model(str(folder))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("seedlin", "was not found"),
        ("/no/such/folder", "was not found"),
        ("owner/name", "name its revision"),
        ("x" * 300, "was not found"),
    ],
)
def test_a_name_that_nothing_has_is_refused(name, words):
    with pytest.raises(RequestError, match=words):
        find_model(name)


def test_a_hub_that_does_not_answer_is_a_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RequestError, match="could not be fetched"):
        find_model("owner/does-not-exist@abc123")


@pytest.mark.parametrize("pipeline", BUILDERS)
def test_every_family_is_inspected_without_being_loaded(tmp_path, pipeline):
    model = find_model(str(save(pipeline, tmp_path / "model")))
    family = family_of(pipeline)
    assert (model.pipeline, model.image_to_image, model.guidance) == (
        pipeline,
        family.image_to_image,
        family.guidance,
    )
    # Most configs say 16 latent pixels of two pixels each. Sana's says 32, those of seven nothing.
    assert model.size == {
        "FluxPipeline": (256, 256),
        "FluxKontextPipeline": (1024, 1024),
        "SanaPipeline": (64, 64),
        "ZImagePipeline": (256, 256),
        "Flux2KleinPipeline": (256, 256),
        "ChromaPipeline": (256, 256),
        "Flux2Pipeline": (256, 256),
        "QwenImagePipeline": (256, 256),
        "QwenImageEditPipeline": (256, 256),
        "QwenImageEditPlusPipeline": (256, 256),
        "Krea2Pipeline": (256, 256),
    }.get(pipeline, (32, 32))
    for component in family.weights:
        shutil.rmtree(tmp_path / "model" / component)
        with pytest.raises(RequestError, match=f"no weights in {component}"):
            find_model(str(tmp_path / "model"))
        save(pipeline, tmp_path / "model")


def edit_index(folder, **changes):
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_model_that_would_run_code_of_its_own_is_refused(folder):
    edit_index(folder, unet=["my_code", "MyUNet"])
    with pytest.raises(RequestError, match=r"needs code of its own for unet \(my_code\)"):
        find_model(str(folder))


def test_pickles_are_refused_wherever_they_stand_but_in_what_is_never_loaded(folder):
    for component, refused in (("safety_checker", False), ("adapter", True)):
        (folder / component).mkdir()
        (folder / component / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        edit_index(folder, **{component: ["diffusers", "AutoencoderKL"]})
        if refused:
            with pytest.raises(RequestError, match="only pickled weights in adapter"):
                find_model(str(folder))
        else:
            find_model(str(folder))


def test_a_scheduler_with_a_number_that_json_cannot_hold_is_refused_unless_it_means_nothing(
    folder,
):
    path = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"lambda_min_clipped": float("-inf")}))
    assert find_model(str(folder)).scheduler_config == config
    path.write_text(json.dumps(config | {"beta_end": float("inf")}))
    with pytest.raises(RequestError, match="beta_end"):
        find_model(str(folder))


def test_other_text_to_image_pipelines_are_known_from_their_source():
    pipelines = {
        name: family_of(name)
        for name in ("AuraFlowPipeline", "Lumina2Pipeline", "LatentConsistencyModelPipeline")
    }
    assert [family.has_negative for family in pipelines.values()] == [True, True, False]
    assert all(family.max_batch == 1 and not is_known(family) for family in pipelines.values())
    for name in (
        "WanPipeline",
        "AudioLDM2Pipeline",
        "FluxControlPipeline",
        "FluxTransformer2DModel",
        "../x",
    ):
        assert family_of(name) is None


# --- digests are remembered by what files are ---


def weights(folder):
    return folder / "unet" / "diffusion_pytorch_model.safetensors"


def test_files_that_are_still_the_same_are_not_read_again(folder, monkeypatch):
    before = weights_digest(folder)
    monkeypatch.setattr("hashlib.file_digest", None)
    assert weights_digest(folder) == before


@pytest.mark.parametrize("place", ["", "additional_chat_templates"])
def test_a_chat_template_counts_and_digests_without_it_hold_still(tmp_path, place):
    folder = save("ZImagePipeline", tmp_path / "model")
    own = folder / "tokenizer" / "chat_template.jinja"
    template = folder / "tokenizer" / place / "chat_template.jinja"
    template.parent.mkdir(exist_ok=True)
    text = own.read_text()
    own.unlink()
    older = weights_digest(folder)  # what a version said that looked at no template
    template.write_text(text)
    now = weights_digest(folder)
    assert now != older
    assert [has_weights(folder, digest) for digest in (now, older, "0" * 64)] == [
        True,
        True,
        False,
    ]
    template.write_text(text.replace("|im_end|", "|im_start|"))
    assert not has_weights(folder, now)


def test_a_file_that_was_put_in_anothers_place_is_read_whatever_its_name_size_and_date(folder):
    before, path = weights_digest(folder), weights(folder)
    data, seen = path.read_bytes(), path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    other.replace(path)
    assert weights_digest(folder) != before
    path.write_bytes(data)
    assert weights_digest(folder) == before
