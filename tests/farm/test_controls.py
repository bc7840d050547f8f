"""Campaigns whose pictures follow others by a ControlNet, from the file to the pixels and back."""

# ruff: noqa: F401, F811  # fixtures of the tests of models

import json
import shutil
from typing import get_args

import pytest
from PIL import Image, ImageDraw

from actors.models.cache import WeightsCache
from actors.models.controls import MODES
from actors.models.models import SEEDLING
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from actors.recipes.jobs import FailureKind
from farm.campaign.loading import load_campaign
from farm.campaign.sources import ControlKind
from farm.campaign.specs import expansion_of
from farm.documents.document import DocumentError
from farm.results.recipe_changes import changes, named
from farm.results.reproduce import campaign_of, read_picture
from farm.service.submission import Submissions
from storage.errors import Conflict, RequestError
from storage.keys import weights_key
from tests.farm.resting import assert_recipes_come_back, paint_queued
from tests.farm.test_registry import command, database, farm, jobs_of, painted
from tests.farm.test_registry import outputs as stored
from tests.pipelines import control_of, save, union_of

SMALL = dict(vary={"n": ["mug"]}, prompt="a {n}", seeds=[7], settings={"steps": 4, "batch": 2})


def campaign(name="spring", **changes):
    return {"name": name, "model": "seedling", **SMALL, **changes}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return control_of(SEEDLING, tmp_path_factory.mktemp("control") / "net")


@pytest.fixture
def edges(tmp_path):
    """Two pictures of edges, under the names that they are given by."""
    found = {}
    for name, box in (("left", (10, 20, 60, 110)), ("right", (70, 20, 118, 110))):
        picture = Image.new("RGB", (128, 128))
        ImageDraw.Draw(picture).rectangle(box, outline="white", width=3)
        picture.save(tmp_path / f"{name}.png")
        found[name] = str(tmp_path / f"{name}.png")
    return found


@pytest.fixture
def service(campaigns, control, watching, outputs, brands):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands
    )


def led(made, edges, name="spring", **control):
    whole = {"model": str(made), "image": edges["left"], **control}
    return campaign(name, control=whole)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pictures_follow_others_and_are_painted_again_from_their_files(
    service, queue, settling, outputs, reading, made, edges
):
    data = led(made, edges, until=0.5)
    data["vary"] = {
        **data["vary"],
        "control_image": [edges["left"], edges["right"], "none"],
        "control_scale": [0.5, 1.0],
    }
    data["skip"] = [{"control_image": "none", "control_scale": 0.5}]
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    assert len({line["pixels"] for line in lines}) == len(lines) == 5
    *follow, free = lines
    assert {line["control"]["scale"] for line in follow} == {0.5, 1.0}
    assert {line["control"]["until"] for line in follow} == {0.5}
    assert {line["control_image"]["address"] for line in follow} == set(edges.values())
    assert (free["control"], free["control_image"]) == (None, None)
    assert_recipes_come_back(service, outputs, lines)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_control_is_known_by_its_content_and_a_campaign_without_one_is_as_before(
    service, made, edges, tmp_path
):
    plain, _ = service.submit("p", campaign())
    mine = shutil.copytree(made, tmp_path / "mine")
    first, _ = service.submit("q", led(mine, edges))
    mine.rename(tmp_path / "theirs")
    same, did = service.submit("q", led(tmp_path / "theirs", edges))
    assert (same.id, did["created"]) == (first.id, False)
    assert same.fingerprint != plain.fingerprint
    other, _ = service.submit("r", led(made, edges, scale=0.4, image=edges["right"]))
    told = changes(*(named(expansion_of(row.spec), 0) for row in (first, other)))
    assert [change.words for change in told] == [
        "control_image left.png -> right.png",
        "control mine at 1 -> net at 0.4",
    ]


def test_a_registered_control_paints_on_a_machine_without_it(
    farm, jobs_of, stored, made, edges, tmp_path
):
    mine = shutil.copytree(made, tmp_path / "mine")
    added = farm.register("lines", str(mine))
    assert (added.pipeline, added.did) == ("ControlNetModel", "added")
    shutil.rmtree(mine)
    farm.submit(led("lines", edges, name="named"))
    farm.submit(led(made, edges, name="plain"), fresh=True)
    farm.submit(campaign("bare"))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of("named")
    assert (job.control_path, job.control_manifest) == (added.label, added.manifest)
    by_name = painted([job], stored, cache)
    assert painted(jobs_of("plain"), stored, cache) == by_name
    assert painted(jobs_of("bare"), stored, cache) != by_name
    with pytest.raises(Conflict, match="the campaign default/named still needs it"):
        farm.unregister("lines")
    for words, data in (
        ("paints nothing by itself", campaign("x", model="lines")),
        ("no ControlNet is registered under that name", led("depth", edges)),
    ):
        with pytest.raises(DocumentError, match=words):
            farm.submit(data)


def test_a_brand_allows_the_controls_that_it_lists(farm, made, edges):
    added = farm.register("lines", str(made))
    pack = {"name": "acme", "controls": ["lines"]}
    farm.submit(led("lines", edges, name="a") | {"brand": pack})
    label, digits = added.label, added.label.partition("@")[2]
    for allowed in ([label], [digits], [digits, "depth"]):
        brand = {**pack, "name": f"acme-{len(allowed)}-{len(allowed[0])}", "controls": allowed}
        farm.submit(
            led("lines", edges, name=f"b-{len(allowed)}-{len(allowed[0])}") | {"brand": brand}
        )
    for name, allowed, words in (
        ("some", ["depth"], "allowed are depth."),
        ("none", [], "it allows none."),
    ):
        brand = {"name": name, "controls": allowed}
        with pytest.raises(DocumentError, match="does not allow the ControlNet lines") as error:
            farm.submit(led("lines", edges, name="c") | {"brand": brand})
        (problem,) = error.value.problems
        assert (problem.place, problem.message.endswith(words)) == ("control.model", True)
    farm.submit(campaign("free") | {"brand": {"name": "none", "controls": []}})


def test_a_control_that_is_gone_from_the_outputs_is_a_failure_of_loading(
    farm, jobs_of, stored, made, edges, tmp_path
):
    added = farm.register("lines", str(made))
    farm.submit(led("lines", edges))
    stored.delete(weights_key(added.manifest))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of()
    result = Painter("w", Engine(device="cpu", threads=1), stored, cache).paint(job)
    assert result.failure.kind is FailureKind.LOADING
    assert result.failure.detail.startswith(f"The ControlNet {added.label} cannot be loaded: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (dict(control={"model": "NET"}), "control", "it has no picture to follow"),
        (dict(control={"image": "EDGES"}), "control", "the key 'model' is missing"),
        (
            dict(control={"model": "NET", "image": "EDGES", "scale": 0}),
            "control.scale",
            "more than 0",
        ),
        (dict(control={"model": "NET", "image": "/no.png"}), "control.image", "no such file"),
        (dict(control={"model": "/no", "image": "EDGES"}), "control.model", "there is no folder"),
        (
            dict(vary={"n": ["mug"], "control_image": ["EDGES"]}),
            "vary.control_image",
            "the campaign names none: add `control: {model: …}`",
        ),
        (
            dict(vary={"n": ["mug"], "control_scale": [0.5]}),
            "vary.control_scale",
            "no axis names one",
        ),
        (
            dict(settings={"control_scale": 0.5}),
            "settings.control_scale",
            "control: {model: …, image: …, scale: …}",
        ),
        (dict(controlnet={"model": "NET"}), "controlnet", "it is called 'control' here"),
        (
            dict(control={"model": "NET", "image": "EDGES"}, model="XL"),
            "control.model",
            "was made for another kind of model: its block_out_channels is",
        ),
        (
            dict(control={"model": "NET", "image": "EDGES"}, model="FLUX"),
            "control.model",
            "a FluxPipeline takes no control",
        ),
        (
            dict(control={"model": "UNION", "image": "EDGES"}, model="XL"),
            "control.model",
            "it is a union of several, and must be told which: write `kind:`, one of pose, depth",
        ),
        (
            dict(control={"model": "UNION", "image": "EDGES", "kind": "tile"}, model="XL"),
            "control.model",
            "it follows no tile, but pose, depth, scribble, canny, normal, segments.",
        ),
        (
            dict(control={"model": "NET", "image": "EDGES", "kind": "canny"}),
            "control.model",
            "it follows pictures of the one kind that it was trained with: remove `kind`.",
        ),
        (
            dict(control={"model": "UNION", "image": "EDGES", "kind": "canny"}),
            "control.model",
            "a StableDiffusionPipeline takes no ControlNetUnionModel",
        ),
        (
            dict(control={"model": "NET", "image": "EDGES", "kind": "edges"}),
            "control.kind",
            "canny",
        ),
        (
            dict(
                control={"model": "NET", "image": "EDGES"},
                settings={"guidance_rescale": 0.7, "steps": 2},
            ),
            "settings.guidance_rescale",
            "a StableDiffusionControlNetPipeline takes no 'guidance_rescale'",
        ),
    ],
)
def test_a_control_that_cannot_be_followed_is_refused_at_submission(
    service, made, edges, models, change, place, words
):
    names = {"NET": str(made), "EDGES": edges["left"], **models}
    told = json.loads(_named(json.dumps(change), names))
    with pytest.raises(DocumentError) as error:
        service.submit("p", {**campaign(), **told})
    found = [(problem.place, words in problem.message) for problem in error.value.problems]
    assert found == [(place, True)], str(error.value)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    kinds = {"XL": "StableDiffusionXLPipeline", "FLUX": "FluxPipeline"}
    found = {name: str(save(kind, root / name)) for name, kind in kinds.items()}
    return found | {"UNION": str(union_of(root / "XL", root / "union"))}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_union_is_told_what_it_follows_and_is_painted_again_from_its_files(
    service, queue, settling, outputs, reading, models, edges
):
    data = campaign(
        model=models["XL"],
        control={"model": models["UNION"], "image": edges["left"], "kind": "pose"},
        vary={"shot": [{"n": "mug", "control_kind": kind} for kind in ("canny", "depth", "")]},
        settings={"steps": 2, "size": "32x32"},
    )
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    assert {line["control"]["kind"] for line in lines} == {"canny", "depth", "pose"}
    assert len({line["pixels"] for line in lines}) == 3
    told = changes(*(named(expansion_of(row.spec), number) for number in (0, 1)))
    assert [change.words for change in told] == [
        "control union of canny at 1 -> union of depth at 1"
    ]
    assert_recipes_come_back(service, outputs, lines)


def _named(text, names):
    for name, value in names.items():
        text = text.replace(f'"{name}"', json.dumps(value))
    return text


def test_a_campaign_may_name_the_kinds_that_unions_know():
    assert get_args(ControlKind) == tuple(MODES)


def test_paths_in_a_file_are_those_beside_it(tmp_path):
    written = {"control": {"model": "nets/canny", "image": "edges.png"}}
    (tmp_path / "nets" / "canny").mkdir(parents=True)
    (tmp_path / "one.yaml").write_text(json.dumps(campaign() | written))
    (tmp_path / "two.yaml").write_text(
        json.dumps(campaign() | {"control": {"model": "canny@12ab34cd", "image": "s3://b/x"}})
    )
    one, two = (load_campaign(tmp_path / f"{name}.yaml").campaign for name in ("one", "two"))
    assert one.control.model == str(tmp_path / "nets" / "canny")
    assert one.control.image == str(tmp_path / "edges.png")
    assert (two.control.model, two.control.image) == ("canny@12ab34cd", "s3://b/x")
