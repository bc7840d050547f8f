"""The layout of the outputs: what a person finds where, and what only the farm can have put
there.
"""

import pytest

from storage.keys import (
    atlas_key,
    campaign_folder,
    is_atlas,
    is_ours,
    is_painted,
    is_preview,
    manifest_key,
    picture_key,
    pictures_of,
    place_of,
    preview_key,
    reference_key,
    without_ending,
)
from storage.states import Stage

FIRST = dict(
    project="p",
    name="spring",
    version=1,
    stage=Stage.FINAL,
    shot="mug_0123456789abcdef",
    seed=7,
    kind="png",
)


def test_keys_are_what_they_always_were():
    picture = picture_key(**FIRST)
    assert picture == "p/spring/final/mug_0123456789abcdef/7.png"
    assert picture_key(**{**FIRST, "version": 3}) == "p/spring/v3/final/mug_0123456789abcdef/7.png"
    assert preview_key(picture, 2) == "p/spring/final/mug_0123456789abcdef/7.step002.webp"
    assert manifest_key("p", "spring") == "p/spring/manifest.jsonl"
    assert reference_key("p", "ab") == "p/references/ab"
    assert campaign_folder("p", "spring") == "p/spring"


@pytest.mark.parametrize("version", [1, 2, 12])
def test_a_place_is_the_same_in_every_version(version):
    assert (
        place_of(picture_key(**{**FIRST, "version": version}))
        == "final/mug_0123456789abcdef/7.png"
    )


def test_a_picture_and_its_previews_are_the_same_up_to_the_ending():
    picture = picture_key(**FIRST)
    assert without_ending(preview_key(picture, 2)) == without_ending(picture)


@pytest.mark.parametrize(
    ("place", "is_ours"),
    [
        ("final/mug_red_0123456789abcdef/12.png", True),
        ("final/shot_0123456789abcdef/12.jxl", True),
        ("final/mug_red_0123456789abcdef/12.step002.webp", True),
        ("final/mug_red_0123456789abcdef/12.step1000.webp", True),
        ("final/mug_red_0123456789abcdef/12-copy.png", False),
        ("final/mug_red_0123456789abcdef/12.gif", False),
        ("final/mug_red/12.png", False),
        ("final/mug_red_0123456789abcdef/deeper/12.png", False),
        ("atlases/8x3-0123456789ab.webp", True),
        ("atlases/8x3-0123456789ab.png", False),
        ("atlases/8x3-0123456789abc.webp", False),
        ("v2/atlases/8x3-0123456789ab.webp", False),
        ("manifest.jsonl", False),
        ("notes/final/mug_red_0123456789abcdef/12.png", False),
    ],
)
def test_names_that_only_the_farm_gives(place, is_ours):
    assert is_painted(place, ("png", "webp", "jpg", "jxl")) is is_ours


@pytest.mark.parametrize(
    ("place", "ours"),
    [
        ("manifest.jsonl", True),
        ("v2/final/mug_0123456789abcdef/1.png", True),
        ("notes.txt", False),
        ("v2/manifest.jsonl", False),
    ],
)
def test_only_files_that_the_farm_writes_are_deleted(place, ours):
    assert is_ours(place, ["png"]) is ours


def test_an_atlas_lies_in_its_campaigns_folder():
    key = atlas_key("p", "spring", "8x3-0123456789ab")
    assert key == "p/spring/atlases/8x3-0123456789ab.webp"
    assert is_atlas(key.removeprefix("p/spring/"))
    assert not is_preview("atlases/8x3-0123456789ab.webp", Stage.FINAL)


@pytest.mark.parametrize("name", ["", "../../x", "8x3-0123456789ab/..", "8x3-0123456789AB"])
def test_an_atlas_of_any_other_name_has_no_key(name):
    with pytest.raises(ValueError, match="no name of an atlas"):
        atlas_key("p", "spring", name)


def test_a_preview_belongs_to_the_picture_beside_it():
    assert pictures_of("p/spring/final/mug/1.step010.webp", ["png", "webp"]) == [
        f"p/spring/final/mug/1.{kind}" for kind in ("png", "webp")
    ]
