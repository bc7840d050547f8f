import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from actors.models.schedulers import SCHEDULERS
from actors.pictures.files import pixels_digest, write
from actors.recipes.encoding import Encoding
from actors.recipes.recipe import Adapter, Group, Recipe
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.results.reproduce import (
    CLOSE_LARGEST,
    CLOSE_MEAN,
    Picture,
    Verdict,
    campaign_of,
    compare,
    read_picture,
    side_by_side,
)
from storage.errors import RequestError
from tests.campaigns import MODEL, data

GREY = np.full((16, 16, 3), 100, np.uint8)
RECIPE = Recipe(
    group=Group(
        model="m" * 64,
        pipeline="P",
        steps=4,
        guidance=1.0,
        scheduler="ddim",
        scheduler_config={},
        width=16,
        height=16,
        dtype="float32",
        batch=4,
    ),
    prompt="a mug",
    negative="",
    seed=7,
)


def record(recipe=RECIPE, pixels=GREY, **changes):
    values = {
        "recipe": recipe.to_json(),
        "digest": recipe.digest,
        "pixels": pixels_digest(pixels),
        "model_name": "seedling",
        "numerics_class": "cpu:a",
        "versions": {"torch": "2.9", "diffusers": "0.42"},
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def picture(pixels=GREY, **changes):
    """A picture as it was painted; changes of the record, `pixels_now` of what can be seen."""
    return read_picture(
        write(changes.pop("pixels_now", pixels), record(pixels=pixels, **changes), "", Encoding())
    )


def shifted(levels, count=GREY.size):
    """Grey with so many of its values changed."""
    pixels = GREY.copy()
    pixels.reshape(-1)[:count] += np.uint8(levels)
    return pixels


# --- a campaign of one render ---

texts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40
) | st.sampled_from(["{}", "{x}", "}{", "{{a}}", "7", "no"])
settings = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(1, 1000),
        "guidance": st.floats(0, 100) | st.integers(0, 100),
        "scheduler": st.sampled_from(sorted(SCHEDULERS)),
        "size": (
            st.tuples(st.integers(1, 512), st.integers(1, 512)).map(
                lambda sides: [8 * side for side in sides]
            )
        ),
        "batch": st.integers(1, 256),
        "dtype": st.sampled_from(["float32", "bfloat16", "float16"]),
    },
)


@given(
    st.lists(texts, min_size=1, max_size=3, unique=True),
    texts,
    st.booleans(),
    settings,
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=2, unique=True),
)
def test_any_recipe_of_any_campaign_becomes_a_campaign_with_that_recipe(
    things, word, has_negative, chosen, seeds
):
    vary = {"thing": things, "word": [word]}
    base = parse_campaign(
        data(
            prompt="a {thing} {{of}} {word}",
            negative="{word}" if has_negative else "",
            vary=vary,
            settings=chosen,
            seeds=seeds,
            syntax="literal",
        )
    )
    plan = Expansion(base, MODEL)
    for recipe in recipes(plan):
        carried = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
        asked = campaign_of(
            Picture(pixels=GREY, recipe=carried, record={"model_name": "seedling"}), name="again"
        )
        (again,) = recipes(Expansion(parse_campaign(asked), MODEL))
        assert again.digest == recipe.digest


def recipes(plan):
    for group_no, render in plan.all_renders():
        yield Recipe(
            group=plan.group(group_no),
            prompt=render.shot.prompt,
            negative=render.shot.negative,
            seed=render.seed,
        )


def test_a_model_that_has_moved_can_be_named():
    assert campaign_of(picture(), name="again")["model"] == "seedling"
    assert campaign_of(picture(), name="again", model="/models/mine")["model"] == "/models/mine"


def test_references_and_adapters_come_from_where_the_record_says_they_were():
    group = replace(RECIPE.group, strength=0.5, adapters=(Adapter(digest="a", scale=0.8),))
    recipe = replace(RECIPE, group=group, reference="r")
    sources = {
        "reference": {"address": "ref.png", "digest": "r"},
        "adapters": [{"path": "lora.safetensors", "digest": "a", "scale": 0.8}],
    }
    asked = campaign_of(picture(recipe=recipe, sources=sources), name="again")
    assert asked["reference"] == {"image": "ref.png", "strength": 0.5}
    assert asked["adapters"] == [{"lora": "lora.safetensors", "scale": 0.8}]
    cut = replace(recipe, mask="m")
    with pytest.raises(RequestError, match="does not say where"):
        campaign_of(picture(recipe=cut, sources=sources), name="again")
    whole = {**sources, "mask": {"address": "mask.png", "digest": "m"}}
    asked = campaign_of(picture(recipe=cut, sources=whole), name="again")
    assert asked["reference"] == {"image": "ref.png", "strength": 0.5, "mask": "mask.png"}
    for less in (
        {},
        {"reference": {"address": None}},
        {"reference": sources["reference"]},
        {"reference": "x", "adapters": 3},
    ):
        with pytest.raises(RequestError, match="does not say where"):
            campaign_of(picture(recipe=recipe, sources=less), name="again")


@pytest.mark.parametrize(
    ("encoding", "output"),
    [
        (None, None),
        ("png", None),
        ("webp", {"format": "webp"}),
        ("jpg-q90", {"format": "jpg", "quality": 90}),
    ],
)
def test_the_repaint_is_written_as_the_file_was(encoding, output):
    assert campaign_of(picture(encoding=encoding), name="again").get("output") == output


# --- what a file carries ---


def test_a_file_without_its_metadata_says_what_is_missing():
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "PNG")
    with pytest.raises(
        RequestError, match="recipe, model name, numerics class and versions are missing"
    ):
        read_picture(file.getvalue())


@pytest.mark.parametrize("data", [b"", b"no picture", write(GREY, record(), "", Encoding())[:-40]])
def test_what_is_no_whole_picture_is_refused(data):
    with pytest.raises(RequestError, match="not a picture"):
        read_picture(data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(recipe=None), "no recipe"),
        (dict(model_name=7), "no model_name"),
        (dict(recipe=[1]), "no recipe"),
        (dict(recipe={}), "cannot be read"),
        (dict(recipe={**RECIPE.to_json(), "colour": "red"}), "cannot be read"),
        (dict(recipe={**RECIPE.to_json(), "adapters": [3]}), "cannot be read"),
        (dict(recipe={**RECIPE.to_json(), "guidance": float("nan")}), "cannot be read"),
        (dict(encoding="jpg-qx"), "written as jpg-qx"),
    ],
)
def test_a_record_that_somebody_changed_is_refused_with_a_sentence(changes, words):
    texts = PngInfo()
    texts.add_itxt("seedbed", json.dumps({**record(), **changes}))
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "PNG", pnginfo=texts)
    with pytest.raises(RequestError, match=words):
        campaign_of(read_picture(file.getvalue()), name="again")


# --- comparing ---


def test_equal_pixels_are_identical_and_no_reason_is_looked_for():
    found = compare(picture(), picture())
    assert (found.verdict, found.largest, found.mean, found.reasons) == (
        Verdict.IDENTICAL,
        0,
        0.0,
        (),
    )


@pytest.mark.parametrize(
    ("levels", "count", "verdict"),
    [
        (1, 1, Verdict.CLOSE),
        (2, GREY.size, Verdict.CLOSE),
        (3, GREY.size, Verdict.DIFFERENT),
        (CLOSE_LARGEST, 4, Verdict.CLOSE),
        (CLOSE_LARGEST + 1, 4, Verdict.DIFFERENT),
    ],
)
def test_the_bound_between_close_and_different(levels, count, verdict):
    found = compare(picture(), picture(shifted(levels, count)))
    assert (found.verdict, found.largest) == (verdict, levels)
    assert found.mean == pytest.approx(levels * count / GREY.size)
    assert (found.mean <= CLOSE_MEAN and found.largest <= CLOSE_LARGEST) == (
        verdict is Verdict.CLOSE
    )
    assert "No reason was found" in found.reasons[0]
    assert "as it was painted" in found.reasons[0]


def test_a_picture_of_another_size_is_different():
    found = compare(picture(np.zeros((8, 16, 3), np.uint8)), picture())
    assert (found.verdict, found.largest) == (Verdict.DIFFERENT, None)
    assert "16x8, and its recipe paints 16x16" in found.reasons[0]


@pytest.mark.parametrize(
    ("was", "recorded", "words"),
    [
        (dict(pixels_now=shifted(9)), None, "changed since it was painted.*what it painted then"),
        (
            dict(pixels_now=shifted(9), pixels=None),
            pixels_digest(GREY),
            "changed since it was painted",
        ),
        (
            dict(pixels_now=shifted(9), digest="0" * 64),
            None,
            "altered: it does not match the digest",
        ),
        (dict(numerics_class="cuda:b"), None, "another numerics class: cuda:b there, cpu:a here"),
        (
            dict(versions={"torch": "2.8"}),
            None,
            (
                "diffusers None there, 0.42 here; torch 2.8 there, 2.9 here|torch 2.8 there, 2.9"
                " here; diffusers None"
            ),
        ),
        (dict(versions="none"), None, "Other library versions"),
    ],
)
def test_the_reason_is_named(was, recorded, words):
    without = was.pop("pixels", "kept") is None
    given = read_picture(
        write(
            was.pop("pixels_now", GREY),
            {k: v for k, v in record(**was).items() if not (without and k == "pixels")},
            "",
            Encoding(),
        )
    )
    reasons = compare(given, picture(), recorded=recorded).reasons
    assert any(re.search(words, reason) for reason in reasons), reasons


def test_other_weights_and_other_parts_of_the_recipe_are_named():
    recipe = replace(
        RECIPE, group=replace(RECIPE.group, model="n" * 64, scheduler_config={"beta": 2})
    )
    reasons = " ".join(compare(picture(), picture(shifted(9), recipe=recipe)).reasons)
    assert (
        "Other weights: seedling stands for nnnnnnnnnnnn… now, and the file was painted with"
        " mmmmmmmmmmmm…" in reasons
    )
    assert "scheduler_config is {'beta': 2} here, {} in the file" in reasons


def test_a_file_that_gave_pixels_up_is_not_taken_for_changed():
    reasons = compare(
        picture(shifted(1), pixels_now=GREY, encoding="jpg-q90"), picture(GREY, encoding="jpg-q90")
    ).reasons
    assert reasons == ()


def test_side_by_side_shows_both_and_where_they_differ_made_visible():
    with Image.open(io.BytesIO(side_by_side(picture(), picture(shifted(2, 3))))) as image:
        assert image.size == (16 * 3 + 8, 16)
        assert image.getpixel((0, 0)) == (100, 100, 100)
        assert image.getpixel((20, 0)) == (102, 102, 102)
        assert [image.getpixel((40 + x, 0)) for x in range(2)] == [(254, 254, 254), (0, 0, 0)]
    with Image.open(
        io.BytesIO(side_by_side(picture(np.zeros((8, 16, 3), np.uint8)), picture()))
    ) as image:
        assert image.size == (36, 16)
