"""Atlases: each thumbnail is found where it is said to be."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from actors.pictures.atlas import MOST, SIDE, atlases, thumbnail

SIZES = [(96, 64), (64, 96), (192, 192), (1, 1)]
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


def plain(size, colour):
    return np.full((*size, 3), colour, np.uint8)


def found(atlas):
    """By number, the pixels at the place that is told."""
    pixels = np.asarray(Image.open(io.BytesIO(atlas.data)).convert("RGB"))
    columns, rows = map(int, atlas.name.partition("-")[0].split("x"))
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    assert pixels.shape == (rows * height, columns * width, 3)
    tiles = {}
    for number, told in atlas.places().items():
        name, place, colour = told.split(":")
        assert name == atlas.name
        row, column = divmod(int(place), columns)
        y, x = row * height, column * width
        tiles[number] = pixels[y : y + height, x : x + width], colour
    return tiles


@settings(max_examples=30)
@given(
    tiles=st.dictionaries(
        st.integers(0, 2**40), st.tuples(st.sampled_from(SIZES), COLOURS), max_size=MOST + 9
    )
)
def test_every_thumbnail_is_at_its_place_in_an_atlas_of_its_size(tiles):
    seen = {}
    for atlas in atlases({number: plain(*tile) for number, tile in tiles.items()}):
        assert len(atlas.numbers) <= MOST
        seen |= found(atlas)
    assert seen.keys() == tiles.keys()
    for number, (size, colour) in tiles.items():
        pixels, mean = seen[number]
        assert pixels.shape == (*size, 3)
        assert mean == bytes(colour).hex()
        middle = pixels[size[0] // 2, size[1] // 2].astype(int)
        if min(size) > 1:  # a picture of one pixel shares its colours with its neighbours
            assert np.abs(middle - colour).max() <= 12


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 512), (SIDE, SIDE // 2)),
        ((512, 1024), (SIDE // 2, SIDE)),
        ((64, 48), (64, 48)),
        ((SIDE, SIDE), (SIDE, SIDE)),
        ((4096, 1), (SIDE, 1)),
    ],
)
def test_a_thumbnail_keeps_its_proportions_and_is_never_made_larger(size, small):
    assert thumbnail(plain(size, (9, 9, 9))).shape == (*small, 3)


def test_a_name_follows_from_what_the_atlas_shows():
    (one,), (same,), (other,) = (
        list(atlases({7: plain((64, 64), (shade, 0, 0))})) for shade in (50, 50, 200)
    )
    assert one.name == same.name != other.name
    assert one.name.startswith("1x1-")


def test_there_is_no_atlas_of_nothing():
    assert list(atlases({})) == []
