"""Campaigns whose pictures are edits of others, from the file to the pixels and back."""

import io
import json

import pytest
import yaml
from PIL import Image

from actors.painting.engine import Engine
from actors.painting.painter import Painter
from farm.campaign.loading import load_campaign
from farm.campaign.specs import expansion_of
from farm.documents.document import DocumentError
from farm.results.recipe_changes import changes, named
from farm.service.looks import Looks
from farm.service.render_reading import RenderReading
from storage.reviews import Reviews
from tests.farm.resting import assert_recipes_come_back, paint_queued
from tests.pipelines import built_once

KLEIN, KONTEXT, FLUX = "Flux2KleinPipeline", "FluxKontextPipeline", "FluxPipeline"
QWEN = "QwenImageEditPlusPipeline"
SETTINGS = {"steps": 2, "size": "32x32"}
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return built_once(tmp_path_factory.mktemp("editors"))


@pytest.fixture
def pictures(tmp_path):
    """By their names, pictures of several shapes."""
    sizes = {"mug": (80, 96), "lamp": (96, 80), "scene": (128, 64), "small": (40, 80)}
    sizes |= {"narrow": (70, 600)}
    for k, (name, size) in enumerate(sizes.items()):
        Image.effect_noise(size, 40 + 10 * k).convert("RGB").save(tmp_path / f"{name}.png")
    return {name: str(tmp_path / f"{name}.png") for name in sizes}


def campaign(model, name="spring", **more):
    return {
        "name": name, "model": str(model(KLEIN)), "prompt": "put the mug on the table",
        "seeds": [7], "settings": SETTINGS, **more,
    }  # fmt: skip


@one_database
def test_edits_are_painted_and_painted_again_from_their_files(
    service, queue, settling, outputs, reading, model, pictures, campaigns, engine
):
    data = campaign(model, edit=[pictures["mug"], pictures["scene"]])
    data["vary"] = {"edit_image": [pictures["mug"], pictures["lamp"], "none"]}
    data["vary"] |= {"edit_image_3": [pictures["lamp"], "none"]}
    data["skip"] = [{"edit_image": pictures["lamp"], "edit_image_3": pictures["lamp"]}]
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))
    lines = [json.loads(line) for line in reading.manifest("p", "spring")]
    found = [
        [
            next(name for name, at in pictures.items() if at == one["address"])
            for one in line["edit"]
        ]
        for line in sorted(lines, key=lambda line: line["number"])
    ]
    assert found == [
        ["mug", "scene", "lamp"],
        ["mug", "scene"],
        ["lamp", "scene"],
        ["scene", "lamp"],
        ["scene"],
    ]
    assert {line["state"] for line in lines} == {"done"}
    assert len({line["pixels"] for line in lines}) == 5
    assert {line["settings"]["batch"] for line in lines} == {1}
    assert_recipes_come_back(service, outputs, lines)
    # Whoever decides about one may hold it against the first picture that it is an edit of.
    looks = Looks(campaigns=campaigns, reviews=Reviews(engine), outputs=outputs)
    for number, name in ((0, "mug"), (3, "lamp"), (5, "scene")):
        shown = Image.open(io.BytesIO(looks.reference("p", "spring", number).data))
        with Image.open(pictures[name]) as own:
            assert shown.size == own.size
    # So does the file that a picture's page offers.
    reading = RenderReading(campaigns=campaigns, reviews=Reviews(engine))
    offered = yaml.safe_load(reading.campaign_file("p", "spring", 1))
    assert offered["edit"] == [pictures["mug"], pictures["scene"]]


@one_database
def test_an_edit_is_known_by_what_is_in_its_files(service, model, pictures, tmp_path):
    first, _ = service.submit("p", campaign(model, edit=pictures["mug"]))
    other = tmp_path / "other.png"
    other.write_bytes((tmp_path / "mug.png").read_bytes())
    same, did = service.submit("p", campaign(model, edit=[str(other)]))
    assert (same.id, did["created"]) == (first.id, False)
    both, _ = service.submit("q", campaign(model, edit=[pictures["mug"], pictures["lamp"]]))
    plain, _ = service.submit("r", campaign(model))
    assert len({row.fingerprint for row in (first, both, plain)}) == 3
    assert "edit" not in json.dumps(expansion_of(plain.spec).recipe(0, _first(plain)).to_json())
    told = changes(*(named(expansion_of(row.spec), 0) for row in (plain, both)))
    assert [change.words for change in told] == ["edit none -> mug.png + lamp.png"]


def _first(row):
    return expansion_of(row.spec).render(0)[1]


@one_database
@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (dict(edit="/no.png"), "edit[0]", "no such file"),
        (dict(edit=[]), None, ""),
        (dict(edit=["mug"] * 5), "edit", "at most 4"),
        (dict(edit=["none"]), "edit[0]", "only an axis has `none`"),
        (dict(edit="small"), "edit[0]", "each side must have at least 64 pixels"),
        (dict(edit="narrow"), "edit[0]", "no side may be more than 8 times as long"),
        (dict(edit="mug", model=FLUX), "edit[0]", "(Flux) edits no pictures; models of FLUX.1"),
        (
            dict(vary={"edit_image": ["mug"]}, model=FLUX),
            "vary.edit_image",
            "To begin from a picture, write `reference: {image: …}`.",
        ),
        (
            dict(edit=["mug", "lamp"], model=KONTEXT),
            "edit[1]",
            "(FLUX.1 Kontext) edits one picture at once",
        ),
        (dict(edit="narrow", model=KONTEXT), "edit[0]", "more than 2.5 times"),
        (
            dict(edit="mug", settings={**SETTINGS, "batch": 4}),
            "settings.batch",
            "edits are painted one at a time",
        ),
        (
            dict(vary={"edit_image_2": ["mug", "none"]}),
            "vary.edit_image_2",
            "'edit_image_2' comes after 'edit_image', and nothing names that",
        ),
        (dict(edit=["mug"] * 4, model=QWEN), "edit[3]", "edits 3 pictures at once"),
        (dict(model=QWEN), "edit", "paints nothing but edits, and here it has no picture"),
        (
            dict(vary={"edit_image": ["mug", "none"]}, model=QWEN),
            "vary.edit_image[1]",
            "paints nothing but edits",
        ),
        (
            dict(
                vary={"edit_image": ["mug", "none"], "edit_image_2": ["lamp", "none"]}, model=QWEN
            ),
            "vary.edit_image[1]",
            "paints nothing but edits",
        ),
        (dict(edit="mug", vary={"edit_image_2": ["lamp", "none"]}, model=QWEN), None, ""),
        (
            dict(
                vary={"edit_image": ["mug", "none"], "edit_image_2": ["lamp", "none"]},
                skip=[{"edit_image": "none", "edit_image_2": "none"}],
                model=QWEN,
            ),
            None,
            "",
        ),
        (
            dict(edit=["mug", "lamp"], vary={"edit_image": ["mug", "none"]}, model=QWEN),
            None,
            "",
        ),
        (
            dict(edit="mug", model=QWEN, prompt="put <|image_pad|> here", syntax="literal"),
            "prompt",
            "<|image_pad|> has a meaning for this model",
        ),
        (dict(settings={"edit_image": "mug"}), "settings.edit_image", "edit: [FIRST, SECOND]"),
        (dict(kontext_image="mug"), "kontext_image", "it is called 'edit' here"),
        (
            dict(vary={"edit_image": ["mug", "mug"]}),
            "vary.edit_image[1]",
            "stands twice in the axis",
        ),
    ],
)
def test_what_cannot_be_edited_is_refused_at_submission(
    service, model, pictures, change, place, words
):
    told = json.loads(_with(json.dumps(change), pictures))
    if "model" in told:
        told["model"] = str(model(told["model"]))
    data = {**campaign(model), **told}
    if place is None:
        service.submit("p", data)
        return
    with pytest.raises(DocumentError) as error:
        service.submit("p", data)
    found = [(problem.place, words in problem.message) for problem in error.value.problems]
    assert found == [(place, True)], str(error.value)


def _with(text, names):
    for name, value in names.items():
        text = text.replace(f'"{name}"', json.dumps(value))
    return text


def test_paths_in_a_file_are_those_beside_it(tmp_path, model):
    for k, edit in enumerate((["mug.png", "s3://b/x.png"], "mug.png")):
        (tmp_path / f"{k}.yaml").write_text(json.dumps(campaign(model, edit=edit)))
    found = [load_campaign(tmp_path / f"{k}.yaml").campaign.edit for k in range(2)]
    assert found == [(str(tmp_path / "mug.png"), "s3://b/x.png"), (str(tmp_path / "mug.png"),)]
