"""`layout@1`: the order of a fixture set, and what must not count."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from actors.pictures.drift import NAME, Layout, drift, layout_from, layout_of, median_of


def scene(side=256, *, at=(0.5, 0.55), radius=0.2, ground=(196, 190, 178), thing=(180, 40, 40)):
    """A round thing on a table before a wall, drawn large and then reduced."""
    big = Image.new("RGB", (1024, 1024), ground)
    pen = ImageDraw.Draw(big)
    pen.rectangle((0, 640, 1024, 1024), tuple(int(c * 0.7) for c in ground))
    x, y, r = (int(1024 * value) for value in (*at, radius))
    pen.ellipse((x - r, y + r // 2, x + r, y + r * 3 // 2), tuple(int(c * 0.5) for c in ground))
    pen.ellipse((x - r, y - r, x + r, y + r), thing)
    return np.asarray(big.resize((side, side), Image.Resampling.LANCZOS))


def relit(pixels, factor=0.9):
    return np.clip(pixels * factor, 0, 255).round().astype(np.uint8)


def cropped(pixels, share=0.84):
    side = len(pixels)
    cut = int(side * (1 - share))
    part = Image.fromarray(pixels[cut:, cut // 2 : side - cut // 2])
    return np.asarray(part.resize((side, side), Image.Resampling.LANCZOS))


def apart(one, other):
    return drift(layout_of(one), layout_of(other))


SCENES = [
    scene(),
    scene(at=(0.35, 0.5), radius=0.16, ground=(60, 80, 120), thing=(230, 200, 60)),
    scene(at=(0.6, 0.6), radius=0.25, ground=(220, 220, 224), thing=(30, 90, 60)),
    scene(at=(0.45, 0.5), radius=0.22, ground=(40, 40, 44), thing=(200, 200, 210)),
]
MOVED = [
    scene(at=(0.78, 0.55)),
    scene(at=(0.68, 0.5), radius=0.16, ground=(60, 80, 120), thing=(230, 200, 60)),
    scene(at=(0.27, 0.6), radius=0.25, ground=(220, 220, 224), thing=(30, 90, 60)),
    scene(at=(0.78, 0.5), radius=0.22, ground=(40, 40, 44), thing=(200, 200, 210)),
]


@pytest.mark.parametrize("k", range(len(SCENES)))
def test_changes_of_a_composition_are_told_in_their_order(k):
    picture, other = SCENES[k], SCENES[(k + 1) % len(SCENES)]
    order = [
        apart(picture, picture.copy()),
        apart(relit(picture), picture),
        apart(cropped(picture), picture),
        apart(MOVED[k], picture),
        apart(other, picture),
    ]
    assert order[0] == 0
    assert order == sorted(set(order))
    assert order[-1] <= 1


@pytest.mark.parametrize("picture", SCENES)
def test_it_is_the_same_in_both_directions(picture):
    assert apart(picture, SCENES[0]) == apart(SCENES[0], picture)


def encoded(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **options)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB"))


def blurred(pixels, radius):
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: encoded(pixels, format="WEBP", quality=80),
        lambda pixels: encoded(pixels, format="PNG"),
        lambda pixels: encoded(pixels, format="JPEG", quality=75),
        lambda pixels: blurred(pixels, 5),
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((64, 64))),
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BOX)),
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((1000, 1000))),
        lambda pixels: np.asarray(Image.fromarray(pixels).resize((200, 120))),
    ],
    ids=["webp", "png", "jpeg", "blur", "small", "latent", "large", "stretched"],
)
@pytest.mark.parametrize("k", range(len(SCENES)))
def test_size_format_and_sharpness_hardly_count(k, change):
    picture = SCENES[k]
    assert apart(change(picture), picture) < 0.04  # lossy files shift dark colours a little
    assert apart(change(picture), picture) < apart(cropped(picture), picture) / 4


def test_two_even_grounds_are_near_though_their_noise_has_nothing_in_common():
    noise = [
        np.random.default_rng(k).integers(120, 126, (64, 64, 3), dtype=np.uint8) for k in (1, 2)
    ]
    assert math.isfinite(apart(*noise))
    assert apart(np.full((8, 8, 3), 7, np.uint8), np.full((9, 30, 3), 7, np.uint8)) == 0


def test_a_layout_is_short_and_can_be_read_again():
    layout = layout_of(SCENES[0])
    assert len(layout.text) < 160
    assert layout.text.startswith(f"{NAME}:")
    assert layout_from(layout.text) == layout


@pytest.mark.parametrize("text", ["", "layout@2:AAAA", f"{NAME}:AAAA", f"{NAME}:*", NAME])
def test_what_is_not_a_layout_of_this_version_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  # two kinds of it, one of them Python's own
        layout_from(text)


def test_the_median_of_a_set_leaves_out_the_one_that_drifted():
    near = [scene(at=(0.5 + k / 200, 0.55)) for k in range(-2, 3)]
    layouts = [layout_of(pixels) for pixels in (*near, MOVED[0])]
    median = median_of(layouts)
    assert isinstance(median, Layout)
    apart = [drift(layout, median) for layout in layouts]
    assert max(apart[:-1]) < 0.1 < apart[-1] / 2
    assert median_of(layouts[:1]) == layouts[0]
