"""Campaigns whose pictures are made larger after they were painted, from the file to the pixels
and back.
"""

# ruff: noqa: F401, F811  # fixtures of the tests of models

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from actors.models.cache import WeightsCache
from actors.models.models import SEEDLING
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from actors.pictures.files import read
from actors.recipes.jobs import FailureKind
from actors.recipes.recipe import Upscale
from farm.campaign.loading import load_campaign
from farm.campaign.schema import Campaign
from farm.campaign.specs import expansion_of
from farm.campaign.stages import proof_campaign
from farm.documents.document import DocumentError
from farm.results.recipe_changes import changes, named
from storage.errors import Conflict
from storage.keys import weights_key
from tests.farm.resting import assert_recipes_come_back, paint_queued
from tests.farm.test_controls import _named, campaign, service
from tests.farm.test_registry import command, database, farm, jobs_of, painted
from tests.farm.test_registry import outputs as stored
from tests.pipelines import upscaler_of


@pytest.fixture(scope="session")
def twice(tmp_path_factory):
    return upscaler_of(tmp_path_factory.mktemp("upscaler") / "twice")


def larger(name="spring", **upscale):
    return campaign(name, upscale=upscale)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pictures_are_made_larger_and_are_painted_again_from_their_files(
    service, queue, settling, outputs, reading, twice
):
    data = larger(by=4)
    data["vary"] = {**data["vary"], "upscale_by": [1, 2, 4]}
    data["settings"] |= {"size": "64x32"}
    row, _ = service.submit("p", data)
    painter = Painter("w", Engine(device="cpu", threads=1), outputs)
    paint_queued(queue, settling, row, painter)
    other, _ = service.submit(
        "p", larger("model", model=str(twice)) | {"settings": {**data["settings"]}}
    )
    paint_queued(queue, settling, other, painter)
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    lines += [json.loads(line) for line in reading.manifest("p", "model")]
    assert [line["upscale"] and line["upscale"]["by"] for line in lines] == [None, 2, 4, 2]
    assert [line["upscale"] and line["upscale"]["path"] for line in lines] == [
        None,
        "lanczos",
        "lanczos",
        str(twice),
    ]
    pictures = [read(outputs.read(line["key"], 1 << 24)).pixels for line in lines]
    assert [picture.shape for picture in pictures] == [
        (32, 64, 3),
        (64, 128, 3),
        (128, 256, 3),
        (64, 128, 3),
    ]
    small = Image.fromarray(pictures[0])
    assert np.array_equal(
        pictures[1], np.asarray(small.resize((128, 64), Image.Resampling.LANCZOS))
    )
    assert {line["settings"]["size"] for line in lines} == {"64x32"}
    # Both campaigns have a number 0.
    assert_recipes_come_back(service, outputs, [*lines[:3], lines[3] | {"number": 9}])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("proof", "proofs"), [({"steps": 2}, False), ({"size": "64x64"}, False), ({}, True)]
)
def test_drafts_are_not_made_larger_and_proofs_that_are_the_finals_are(service, proof, proofs):
    row, _ = service.submit("p", larger(by=2) | {"proof": proof})
    asked = Campaign.model_validate(larger(by=2) | {"proof": proof})
    assert expansion_of(row.spec).group(0).upscale == Upscale(by=2)
    assert proof_campaign(asked).upscale == (asked.upscale if proofs else None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_upscaler_is_known_by_its_content_and_a_campaign_without_one_is_as_before(
    service, twice, tmp_path
):
    plain, _ = service.submit("p", campaign())
    mine = shutil.copytree(twice, tmp_path / "mine")
    first, _ = service.submit("q", larger(model=str(mine)))
    mine.rename(tmp_path / "theirs")
    same, did = service.submit("q", larger(model=str(tmp_path / "theirs")))
    assert (same.id, did["created"]) == (first.id, False)
    assert same.fingerprint != plain.fingerprint
    other, _ = service.submit("r", larger(by=3))
    told = changes(*(named(expansion_of(row.spec), 0) for row in (first, other)))
    assert [change.words for change in told] == ["upscale mine by 2 -> lanczos by 3"]
    told = changes(*(named(expansion_of(row.spec), 0) for row in (plain, other)))
    assert [change.words for change in told] == ["upscale none -> lanczos by 3"]


def test_a_registered_upscaler_serves_a_machine_without_it(farm, jobs_of, stored, twice, tmp_path):
    mine = shutil.copytree(twice, tmp_path / "mine")
    added = farm.register("sharp", str(mine))
    assert (added.pipeline, added.did) == ("Swin2SRForImageSuperResolution", "added")
    shutil.rmtree(mine)
    farm.submit(larger("named", model="sharp"))
    farm.submit(larger("plain", model=str(twice)), fresh=True)
    farm.submit(larger("lanczos"))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of("named")
    assert (job.upscaler_path, job.upscaler_manifest) == (added.label, added.manifest)
    by_name = painted([job], stored, cache)
    assert painted(jobs_of("plain"), stored, cache) == by_name
    assert painted(jobs_of("lanczos"), stored, cache) != by_name
    assert list(farm.plan(larger("named", model="sharp")).upscalers) == ["sharp"]
    with pytest.raises(Conflict, match="the campaign default/named still needs it"):
        farm.unregister("sharp")
    for words, data in (
        ("this one as `upscale: {model: …}`", campaign("x", model="sharp")),
        ("no upscaler is registered under that name", larger(model="blurred")),
    ):
        with pytest.raises(DocumentError, match=words):
            farm.submit(data)


def test_an_upscaler_that_is_gone_from_the_outputs_is_a_failure_of_loading(
    farm, jobs_of, stored, twice, tmp_path
):
    added = farm.register("sharp", str(twice))
    farm.submit(larger(model="sharp"))
    stored.delete(weights_key(added.manifest))
    cache = WeightsCache(tmp_path / "cache", stored)
    (job,) = jobs_of()
    result = Painter("w", Engine(device="cpu", threads=1), stored, cache).paint(job)
    assert result.failure.kind is FailureKind.LOADING
    assert result.failure.detail.startswith(f"The upscaler {added.label} cannot be loaded: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (dict(upscale={"by": 1}), "upscale.by", "too small: at least 2"),
        (dict(upscale={"by": 1.5}), "upscale.by", "a whole number"),
        (dict(upscale=2), "upscale", "{by: 2}"),
        (dict(upscale={"model": "/no"}), "upscale.model", "there is no folder"),
        (dict(upscale={"model": "SEEDLING"}), "upscale.model", "is no upscaler: its folder needs"),
        (
            dict(upscale={"model": "TWICE", "by": 3}),
            "upscale.model",
            "it makes pictures 2 times larger, and not 3 times.",
        ),
        (
            dict(upscale={"model": "TWICE"}, vary={"n": ["mug"], "upscale_by": [1, 4]}),
            "upscale.model",
            "and not 4 times.",
        ),
        (
            dict(vary={"n": ["mug"], "upscale_by": [1, 2]}),
            "vary.upscale_by",
            "add `upscale: {by: 2}`",
        ),
        (dict(settings={"upscale_by": 2}), "settings.upscale_by", "upscale: {by: …}"),
        (
            dict(upscale={"by": 4}, settings={"size": "2048x1024", "steps": 2}),
            "upscale.by",
            "4 times 2048x1024 is 8192x4096: pictures have up to 16,777,216 pixels",
        ),
        (dict(upscaler="lanczos"), "upscaler", "it is called 'upscale' here"),
    ],
)
def test_what_cannot_be_made_larger_is_refused_at_submission(service, twice, change, place, words):
    names = {"TWICE": str(twice), "SEEDLING": str(SEEDLING)}
    told = json.loads(_named(json.dumps(change), names))
    with pytest.raises(DocumentError) as error:
        service.submit("p", {**campaign(), **told})
    found = [(problem.place, words in problem.message) for problem in error.value.problems]
    assert found == [(place, True)], str(error.value)


def test_paths_in_a_file_and_its_tables_are_those_beside_it(tmp_path):
    (tmp_path / "nets" / "twice").mkdir(parents=True)
    (tmp_path / "sizes.csv").write_text("upscale_by\n1\n2\n")
    data = larger(model="nets/twice") | {"vary": {"n": ["mug"], "large": {"csv": "sizes.csv"}}}
    (tmp_path / "one.yaml").write_text(json.dumps(data))
    (tmp_path / "two.yaml").write_text(json.dumps(larger(by=3)))
    one, two = (load_campaign(tmp_path / f"{name}.yaml").campaign for name in ("one", "two"))
    assert one.upscale.model == str(tmp_path / "nets" / "twice")
    (axis,) = (axis for axis in one.axes if axis.name == "large")
    assert [axis.assignments(k)["upscale_by"] for k in range(2)] == [1, 2]
    assert (two.upscale.model, two.upscale.by) == ("lanczos", 3)
