"""Campaigns whose pictures are like others by an IP-Adapter, from the file to the pixels and
back.
"""

# ruff: noqa: F401, F811  # fixtures of the tests of models

import json
import shutil
from typing import get_args

import httpx
import pytest
from PIL import Image

from actors.models.cache import WeightsCache
from actors.models.families import FAMILIES
from actors.models.models import SEEDLING
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from actors.recipes.jobs import FailureKind
from farm.campaign.loading import load_campaign
from farm.campaign.sources import LikenessPart
from farm.campaign.specs import expansion_of
from farm.documents.document import DocumentError
from farm.results.recipe_changes import changes, named
from storage.errors import Conflict
from storage.keys import weights_key
from tests.adapters import save_adapter
from tests.farm.resting import assert_recipes_come_back, paint_queued
from tests.farm.test_controls import _named, campaign, service
from tests.farm.test_registry import command, database, farm, jobs_of, painted
from tests.farm.test_registry import outputs as stored
from tests.pipelines import control_of, ip_adapter_of, save


@pytest.fixture(scope="session")
def mood(tmp_path_factory):
    return ip_adapter_of(SEEDLING, tmp_path_factory.mktemp("ip-adapter") / "mood", kind="plus")


@pytest.fixture
def boards(tmp_path):
    """Two pictures to be like, under the names that they are given by."""
    found = {}
    for name, colour, size in (("dusk", "indigo", (200, 90)), ("sand", "khaki", (64, 150))):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
        found[name] = str(tmp_path / f"{name}.png")
    return found


def like(mood, boards, name="spring", **likeness):
    whole = {"model": str(mood), "image": boards["dusk"], **likeness}
    return campaign(name, likeness=whole)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pictures_are_like_others_and_are_painted_again_from_their_files(
    service, queue, settling, outputs, reading, mood, boards
):
    data = like(mood, boards)
    data["vary"] = {
        **data["vary"],
        "likeness_image": [boards["dusk"], boards["sand"], "none"],
        "likeness_scale": [0.5, 1.0],
    }
    # The same file in another part: once in its own shape, once in that of the pictures.
    data["reference"] = {"image": boards["sand"], "strength": 0.8}
    data["skip"] = [{"likeness_image": "none", "likeness_scale": 0.5}]
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    assert len({line["pixels"] for line in lines}) == len(lines) == 5
    *liked, free = lines
    assert {line["likeness"]["scale"] for line in liked} == {0.5, 1.0}
    assert {line["likeness"]["of"] for line in liked} == {"all"}
    assert {line["likeness_image"]["address"] for line in liked} == set(boards.values())
    assert (free["likeness"], free["likeness_image"]) == (None, None)
    assert_recipes_come_back(service, outputs, lines)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_likeness_is_known_by_its_content_and_a_campaign_without_one_is_as_before(
    service, mood, boards, tmp_path
):
    plain, _ = service.submit("p", campaign())
    assert not {"ip_adapters"} & expansion_of(plain.spec).sources.labels.keys()
    mine = shutil.copytree(mood, tmp_path / "mine")
    first, _ = service.submit("q", like(mine, boards))
    mine.rename(tmp_path / "theirs")
    same, did = service.submit("q", like(tmp_path / "theirs", boards))
    assert (same.id, did["created"]) == (first.id, False)
    assert same.fingerprint != plain.fingerprint
    other, _ = service.submit("r", like(mood, boards, scale=0.4, image=boards["sand"]))
    told = changes(*(named(expansion_of(row.spec), 0) for row in (first, other)))
    assert [change.words for change in told] == [
        "likeness_image dusk.png -> sand.png",
        "likeness mine at 1 -> mood at 0.4",
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_style_and_all_of_a_picture_are_two_likenesses(
    service, queue, settling, outputs, reading, boards, models
):
    data = like(models["XL-MOOD"], boards, of="style")
    data |= {"model": models["XL"], "settings": {"steps": 2, "size": "32x32"}}
    data["vary"] = {"shot": [{"n": "mug", "likeness_of": part} for part in ("all", "")]}
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    assert [line["likeness"]["of"] for line in lines] == ["all", "style"]
    assert len({line["pixels"] for line in lines}) == 2
    told = changes(*(named(expansion_of(row.spec), number) for number in (0, 1)))
    assert [change.words for change in told] == [
        "likeness xl-mood at 1 -> xl-mood of its style at 1"
    ]
    assert_recipes_come_back(service, outputs, lines)


def test_a_registered_ip_adapter_paints_on_a_machine_without_it(
    farm, jobs_of, stored, mood, boards, tmp_path
):
    mine = shutil.copytree(mood, tmp_path / "mine")
    added = farm.register("mood", str(mine))
    assert (added.pipeline, added.did) == ("IPAdapter", "added")
    shutil.rmtree(mine)
    farm.submit(like("mood", boards, name="named"))
    farm.submit(like(mood, boards, name="plain"), fresh=True)
    farm.submit(campaign("bare"))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of("named")
    assert (job.likeness_path, job.likeness_manifest) == (added.label, added.manifest)
    by_name = painted([job], stored, cache)
    assert painted(jobs_of("plain"), stored, cache) == by_name
    assert painted(jobs_of("bare"), stored, cache) != by_name
    plan = farm.plan(like("mood", boards, name="named"))
    assert list(plan.ip_adapters) == ["mood"]
    with pytest.raises(Conflict, match="the campaign default/named still needs it"):
        farm.unregister("mood")
    net = farm.register("lines", str(control_of(SEEDLING, tmp_path / "net")))
    assert net.pipeline == "ControlNetModel"
    for words, data in (
        ("this one as `likeness: {model: …}`", campaign("x", model="mood")),
        ("no IP-Adapter is registered under that name", like("dusk", boards)),
        ("it is registered as ControlNetModel, and not as IPAdapter", like("lines", boards)),
        (
            "it is registered as IPAdapter, and not as ControlNetModel",
            campaign("y", control={"model": "mood", "image": boards["sand"]}),
        ),
    ):
        with pytest.raises(DocumentError, match=words):
            farm.submit(data)


def test_a_brand_allows_the_ip_adapters_that_it_lists(farm, mood, boards):
    added = farm.register("mood", str(mood))
    for k, allowed in enumerate((["mood"], [added.label], [added.label.partition("@")[2]])):
        brand = {"name": f"acme-{k}", "controls": allowed}
        farm.submit(like("mood", boards, name=f"a-{k}") | {"brand": brand})
    for name, allowed, words in (
        ("some", ["dusk"], "allowed are dusk."),
        ("none", [], "it allows none."),
    ):
        brand = {"name": name, "controls": allowed}
        with pytest.raises(DocumentError, match="does not allow the IP-Adapter mood") as error:
            farm.submit(like("mood", boards, name="c") | {"brand": brand})
        (problem,) = error.value.problems
        assert (problem.place, problem.message.endswith(words)) == ("likeness.model", True)


def test_an_ip_adapter_that_is_gone_from_the_outputs_is_a_failure_of_loading(
    farm, jobs_of, stored, mood, boards, tmp_path
):
    added = farm.register("mood", str(mood))
    farm.submit(like("mood", boards))
    stored.delete(weights_key(added.manifest))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of()
    result = Painter("w", Engine(device="cpu", threads=1), stored, cache).paint(job)
    assert result.failure.kind is FailureKind.LOADING
    assert result.failure.detail.startswith(f"The IP-Adapter {added.label} cannot be loaded: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (
            dict(likeness={"model": "MOOD"}),
            "likeness",
            "it has no picture that renders are to be like: add `image: …`, or an axis `like",
        ),
        (dict(likeness={"image": "DUSK"}), "likeness", "the key 'model' is missing"),
        (
            dict(likeness={"model": "MOOD", "image": "DUSK", "scale": 0}),
            "likeness.scale",
            "more than 0",
        ),
        (dict(likeness={"model": "MOOD", "image": "/no.png"}), "likeness.image", "no such file"),
        (dict(likeness={"model": "/no", "image": "DUSK"}), "likeness.model", "there is no folder"),
        (
            dict(likeness={"model": "SEEDLING", "image": "DUSK"}),
            "likeness.model",
            "is no IP-Adapter: its folder needs one .safetensors file",
        ),
        (
            dict(vary={"n": ["mug"], "likeness_image": ["DUSK"]}),
            "vary.likeness_image",
            "makes renders like a picture, and the campaign names none: add `likeness: {",
        ),
        (
            dict(vary={"n": ["mug"], "likeness_scale": [0.5]}),
            "vary.likeness_scale",
            "no axis names one",
        ),
        (
            dict(settings={"likeness_of": "style"}),
            "settings.likeness_of",
            "likeness: {model: …, image: …, of: …}",
        ),
        (dict(ip_adapter={"model": "MOOD"}), "ip_adapter", "it is called 'likeness' here"),
        (
            dict(likeness={"model": "MOOD", "image": "DUSK"}, model="XL"),
            "likeness.model",
            "was made for another kind of model: it stands beside texts of the width 128",
        ),
        (
            dict(likeness={"model": "MOOD", "image": "DUSK"}, model="FLUX"),
            "likeness.model",
            "a FluxPipeline takes no likeness",
        ),
        (
            dict(likeness={"model": "MOOD", "image": "DUSK", "of": "style"}),
            "likeness.model",
            "models of Stable Diffusion 1 and 2 take all, and not its style alone.",
        ),
        (
            dict(
                likeness={"model": "XL-MOOD", "image": "DUSK"},
                model="XL",
                vary={"n": ["mug"], "likeness_of": ["style", "layout"]},
            ),
            "likeness.model",
            "the campaign's model lacks the layers that make the layout",
        ),
    ],
)
def test_a_likeness_that_cannot_be_had_is_refused_at_submission(
    service, mood, boards, models, change, place, words
):
    names = {"MOOD": str(mood), "DUSK": boards["dusk"], "SEEDLING": str(SEEDLING), **models}
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
    return found | {"XL-MOOD": str(ip_adapter_of(root / "XL", root / "xl-mood"))}


def test_a_campaign_may_name_the_parts_that_families_know():
    known = {part for family in FAMILIES for part in family.likenesses}
    assert set(get_args(LikenessPart)) == known


def test_paths_in_a_file_and_its_tables_are_those_beside_it(tmp_path):
    written = {"likeness": {"model": "nets/mood", "image": "dusk.png"}}
    (tmp_path / "nets" / "mood").mkdir(parents=True)
    (tmp_path / "boards.csv").write_text("likeness_image,likeness_scale\nsand.png,0.5\n,1\n")
    data = campaign() | written | {"vary": {"n": ["mug"], "board": {"csv": "boards.csv"}}}
    (tmp_path / "one.yaml").write_text(json.dumps(data))
    (tmp_path / "two.yaml").write_text(
        json.dumps(campaign() | {"likeness": {"model": "mood@12ab34cd", "image": "s3://b/x"}})
    )
    one, two = (load_campaign(tmp_path / f"{name}.yaml").campaign for name in ("one", "two"))
    assert one.likeness.model == str(tmp_path / "nets" / "mood")
    assert one.likeness.image == str(tmp_path / "dusk.png")
    (axis,) = (axis for axis in one.axes if axis.name == "board")
    assert [axis.assignments(k) for k in range(2)] == [
        {"likeness_image": str(tmp_path / "sand.png"), "likeness_scale": 0.5},
        {"likeness_image": "none", "likeness_scale": 1.0},
    ]
    assert (two.likeness.model, two.likeness.image) == ("mood@12ab34cd", "s3://b/x")


def test_an_adapter_and_an_ip_adapter_of_one_name_are_told_apart_by_a_digest(
    farm, jobs_of, mood, boards, tmp_path
):
    lora = save_adapter(SEEDLING, tmp_path / "lora" / "house.safetensors")
    house = farm.register("house", str(mood))
    farm.register("house", str(lora), kind="adapters")
    adapters = {"adapters": [{"lora": "house"}]}
    with pytest.raises(DocumentError, match=f"the campaign names an adapter so.*{house.label}"):
        farm.submit(like("house", boards) | adapters)
    farm.submit(like(house.label, boards) | adapters)
    (job,) = jobs_of()
    assert job.likeness_manifest == house.manifest
    assert job.adapter_manifests != (house.manifest,)


def test_the_page_of_a_picture_says_what_it_is_like_and_how_much_larger_it_was_made(
    farm, mood, boards
):
    farm.submit(like(mood, boards, scale=0.5) | {"upscale": {"by": 3}})
    page = httpx.get(f"{farm.url}/campaigns/default/spring/renders/0").text
    assert f"<dt>Like</dt><dd>{boards['dusk']}, by {mood} × 0.5</dd>" in page
    assert "<dt>Made larger</dt><dd>3 times a side, by lanczos</dd>" in page
