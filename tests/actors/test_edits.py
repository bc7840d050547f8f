"""Pictures that are edits of others: beside the bare pipeline of diffusers, one of them or
several, of any shape, going on where they were parked.
"""

import numpy as np
import pytest
from PIL import Image

from actors.models.families import FAMILIES, family_of
from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest
from actors.recipes.previews import Previews
from actors.recipes.recipe import Recipe
from tests.actors.bare import painted_bare
from tests.actors.tiny import Looks, group, hashes, recipes
from tests.pipelines import FREE, small_edits

pytestmark = pytest.mark.usefixtures("unproved")

NAMES = [family.pipeline for family in FREE if family.edits]
_RANDOM = np.random.default_rng(7)
FILES = {
    "mug": _RANDOM.integers(0, 256, (80, 112, 3), np.uint8),
    "lamp": _RANDOM.integers(0, 256, (112, 80, 3), np.uint8),
    "wide": np.full((70, 161, 3), 90, np.uint8),
}
HOW = {"references": FILES}
CASES = [
    (name, names)
    for name in NAMES
    for names in (("mug",), ("wide",), ("mug", "lamp"), ("lamp", "mug", "wide"))
    if len(names) <= family_of(name).edits
]


@pytest.fixture(scope="module")
def engine():
    with small_edits():
        yield Engine(device="cpu", threads=1)


def edits(path, *names, **changes):
    made_of = group(path, **{"batch": 1, "edits": len(names), **changes})
    return recipes(made_of, edit=names)


def bare(path, recipe):
    """What diffusers paints of a recipe that is an edit."""
    made_of = recipe.group
    pictures = [Image.fromarray(FILES[name]) for name in recipe.edit]
    options = {"image": pictures}
    if made_of.pipeline == "FluxKontextPipeline":
        options = {"image": pictures[0], "max_area": made_of.width * made_of.height}
    return painted_bare(path, recipe, lambda _pipe: options)


@pytest.mark.parametrize(("pipeline", "names"), CASES)
def test_an_edit_is_the_one_that_diffusers_paints(engine, folder, pipeline, names):
    path = folder(pipeline)
    one = edits(path, *names)[0]
    painted = engine.paint([one], str(path), **HOW).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, one)).max() == 0


@pytest.mark.parametrize("pipeline", NAMES)
def test_an_edit_depends_on_its_pictures_and_their_order(engine, folder, pipeline):
    path, family = folder(pipeline), family_of(pipeline)
    sets = [("mug",), ("lamp",), ("mug", "lamp"), ("lamp", "mug")]
    sets = [names for names in sets if len(names) <= family.edits]
    found = [hashes(engine, edits(path, *names)[:1], path, **HOW)[0] for names in sets]
    plain = recipes(group(path, batch=1))
    found += hashes(engine, plain[:1], path)
    assert len(set(found)) == len(sets) + 1
    again = Engine(device="cpu", threads=1)
    assert hashes(again, edits(path, *sets[-1])[:1], path, **HOW)[0] == found[-2]


@pytest.mark.parametrize("pipeline", [family.pipeline for family in FAMILIES if family.edits])
def test_it_has_previews_and_goes_on_where_it_was_parked(engine, folder, pipeline):
    path, looks = folder(pipeline), Looks()
    one = edits(path, "mug", steps=6)[:1]
    (painted,) = engine.paint(one, str(path), Previews(every=3), on_preview=looks, **HOW).pixels
    assert sorted(looks) == [3]
    parked = engine.paint(one, str(path), until=2, **HOW).parked
    (again,) = engine.paint(one, str(path), parked=parked, **HOW).pixels
    assert pixels_digest(again) == pixels_digest(painted)


def test_digests_know_the_pictures_and_old_digests_stay(folder):
    path = folder("Flux2KleinPipeline")
    kinds = [edits(path, *names)[0] for names in (("mug",), ("mug", "lamp"), ("lamp", "mug"))]
    assert len({recipe.digest for recipe in kinds}) == 3
    assert [Recipe.from_json(recipe.to_json()) for recipe in kinds] == kinds
    assert not {"edit", "edits"} & recipes(group(path))[0].to_json().keys()
    assert kinds[1].group.shape.endswith(":edit-2")  # which takes longer


def test_what_cannot_be_edited_is_a_sentence(engine, folder):
    klein, flux = folder("Flux2KleinPipeline"), folder("FluxPipeline")
    for path, batch, words in (
        (klein, edits(klein, "gone"), "gone of a picture was not fetched"),
        (klein, edits(klein, *["mug"] * 5), "edits no more pictures than 4"),
        (klein, edits(klein, "mug", batch=2), "painted one at a time"),
        (klein, recipes(group(klein, batch=1, edits=2), edit=("mug",)), "has not all"),
        (flux, edits(flux, "mug"), "Flux edits no pictures"),
    ):
        with pytest.raises(BadRequest, match=words):
            engine.paint(batch[:1], str(path), **HOW)
