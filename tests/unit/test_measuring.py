"""What is measured of pictures holds for any of them: bounds, symmetry, and that size, mirrors and
the layout in memory change nothing; compared with slow and obvious ways of measuring.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from actors.pictures.colour import ciede2000, lab, linear, oklab
from actors.pictures.drift import Layout, drift, layout_from, layout_of, median_of
from actors.pictures.rules import (
    RULES,
    Looked,
    busy_share,
    clipped_share,
    has_border,
    judge,
    palette_share,
    share_outside,
    sharpness,
)
from actors.recipes.rules import CopySpace, Palette, Rules, SafeArea, Side

COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
SIDES = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
FEW = effort(max_examples=40)


@st.composite
def pictures(draw, least=1, most=90):
    """Noise, blocks or one colour, in any shape."""
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    kind, seed = (
        draw(st.sampled_from(["noise", "blocks", "even"])),
        draw(st.integers(0, 2**32 - 1)),
    )
    noise = np.random.default_rng(seed)
    if kind == "even":
        return np.full((height, width, 3), draw(COLOURS), np.uint8)
    if kind == "noise":
        return noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
    blocks = noise.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return blocks[rows][:, columns]


@st.composite
def layouts(draw):
    light = draw(st.binary(min_size=64, max_size=64))
    colour = draw(st.binary(min_size=32, max_size=32))
    return Layout(light=light, colour=colour, subject=draw(st.binary(min_size=5, max_size=5)))


# --- colours ---


@given(COLOURS, COLOURS)
def test_a_difference_is_the_same_both_ways_and_nothing_only_between_equals(one, other):
    first, second = (lab(np.array(colour, np.uint8)) for colour in (one, other))
    there, back = ciede2000(first, second), ciede2000(second, first)
    assert np.isclose(there, back, atol=1e-9)
    assert (there > 1e-9) == (one != other)
    assert 0 <= there < 125


@given(st.integers(0, 254))
def test_more_light_is_lighter_in_every_space(level):
    darker, lighter = (np.full(3, value, np.uint8) for value in (level, level + 1))
    assert (linear(darker) < linear(lighter)).all()
    assert lab(darker)[0] < lab(lighter)[0]
    assert oklab(darker)[0] < oklab(lighter)[0]


@given(st.integers(0, 255))
def test_greys_have_no_colour(level):
    grey = np.full(3, level, np.uint8)
    assert np.abs(lab(grey)[1:]).max() < 0.05
    assert np.abs(oklab(grey)[1:]).max() < 1e-3


@given(COLOURS)
def test_colours_stay_within_the_bounds_that_are_documented(colour):
    lightness, *axes = oklab(np.array(colour, np.uint8))
    assert -1e-6 <= lightness <= 1 + 1e-6
    assert np.abs(axes).max() <= 0.4
    lightness, *axes = lab(np.array(colour, np.uint8))
    assert -1e-6 <= lightness <= 100 + 1e-6
    assert np.abs(axes).max() <= 128


# --- rules ---


@given(pictures(), st.sampled_from(list(SIDES)), st.floats(0.01, 1), st.floats(0.01, 0.49))
@FEW
def test_every_measure_of_any_picture_is_a_share(pixels, side, share, margin):
    looked = Looked(pixels)
    measured = [
        busy_share(looked, CopySpace(side=side, share=share, busy=0)),
        share_outside(looked, SafeArea(margin=margin, outside=0)),
        clipped_share(looked),
        sharpness(looked),
        palette_share(looked, Palette(colors=((9, 9, 9),), within=20, share=0)),
    ]
    assert all(-1e-6 <= value <= 1 + 1e-6 for value in measured), measured
    assert has_border(looked) in (True, False)


@given(pictures())
@FEW
def test_white_and_black_are_counted_pixel_by_pixel(pixels):
    counted = sum(
        all(value >= 254 for value in pixel) or all(value <= 1 for value in pixel)
        for row in pixels.tolist()
        for pixel in row
    )
    assert clipped_share(Looked(pixels)) == pytest.approx(counted / pixels[..., 0].size)


@given(pictures(most=20), st.sampled_from(list(SIDES)), st.floats(0.01, 1))
@FEW
def test_edges_are_counted_cell_by_cell(pixels, side: Side, share):
    colours, (height, width) = oklab(pixels), pixels.shape[:2]
    depth = max(1, round(share * (height if side in ("top", "bottom") else width)))
    edges = []
    for y, x in np.ndindex(height, width):
        away = {"top": y, "bottom": height - 1 - y, "left": x, "right": width - 1 - x}[side]
        if away < depth:
            near = [(y, x + 1)] if x + 1 < width else []
            near += [(y + 1, x)] if y + 1 < height else []
            apart = [np.linalg.norm(colours[y, x] - colours[place]) for place in near]
            edges.append(max(apart, default=0) > 0.08)
    busy = busy_share(Looked(pixels), CopySpace(side=side, share=share, busy=0))
    assert busy == pytest.approx(np.mean(edges))


@given(pictures(least=2), st.floats(0.02, 0.4))
@FEW
def test_a_mirror_or_a_turn_changes_no_verdict_that_knows_no_side(pixels, share):
    looked = Looked(pixels)
    for turned in (pixels[:, ::-1], pixels[::-1], pixels.transpose(1, 0, 2)):
        other = Looked(turned)
        assert has_border(other) == has_border(looked)
        assert clipped_share(other) == clipped_share(looked)
        palette = Palette(colors=((214, 40, 40),), within=30, share=share)
        assert palette_share(other, palette) == pytest.approx(palette_share(looked, palette))


@given(pictures(least=4), COLOURS, COLOURS, st.floats(1, 40))
@FEW
def test_more_colours_or_more_tolerance_never_make_a_palette_rarer(pixels, one, other, within):
    looked = Looked(pixels)

    def share(colors, within):
        return palette_share(looked, Palette(colors=colors, within=within, share=0))

    assert share((one,), within) <= share((one, other), within)
    assert share((one,), within) <= share((one,), within + 5)
    assert share((one, other), within) == share((other, one), within)
    assert share((one, other), within) <= share((one,), within) + share((other,), within) + 1e-9


@given(pictures(least=2, most=20), st.integers(2, 4))
@FEW
def test_a_picture_enlarged_by_a_whole_factor_has_the_same_clipping_and_palette(pixels, factor):
    large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    palette = Palette(colors=((30, 90, 60),), within=25, share=0)
    assert clipped_share(Looked(large)) == pytest.approx(clipped_share(Looked(pixels)))
    assert palette_share(Looked(large), palette) == pytest.approx(
        palette_share(Looked(pixels), palette)
    )


@given(COLOURS, st.integers(1, 200), st.integers(1, 200))
@FEW
def test_a_picture_of_one_colour_has_room_no_subject_no_frame_and_is_not_sharp(
    colour, height, width
):
    looked = Looked(np.full((height, width, 3), colour, np.uint8))
    assert busy_share(looked, CopySpace(side="top", share=0.5, busy=0)) == 0
    assert share_outside(looked, SafeArea(margin=0.1, outside=0)) == 0
    assert not has_border(looked)
    assert sharpness(looked) == pytest.approx(0, abs=1e-6)


@given(pictures(least=8))
@FEW
def test_a_verdict_is_that_of_each_rule_alone(pixels):
    every = Rules(
        copy_space=CopySpace(side="left", share=0.3, busy=0.02),
        safe_area=SafeArea(margin=0.1, outside=0.1),
        no_border=True,
        clipped_at_most=0.01,
        sharpness_at_least=0.4,
        palette=Palette(colors=((200, 30, 30),), within=15, share=0.1),
    )
    verdict = judge(pixels, every)
    alone = {
        "copy_space@1": Rules(copy_space=every.copy_space),
        "safe_area@1": Rules(safe_area=every.safe_area),
        "border@1": Rules(no_border=True),
        "clipped@1": Rules(clipped_at_most=0.01),
        "sharpness@1": Rules(sharpness_at_least=0.4),
        "palette@1": Rules(palette=every.palette),
    }
    assert list(alone) == list(RULES)
    failed = [name for name, rules in alone.items() if judge(pixels, rules).failed == (name,)]
    assert verdict.failed == tuple(failed)
    assert (verdict.tested, verdict.passed) == (6, 6 - len(failed))
    assert judge(pixels, replace(every, holds=True)) == verdict
    assert judge(pixels, Rules(holds=True)).tested == 0


# --- drift ---


@given(layouts(), layouts())
def test_drift_is_a_share_the_same_both_ways_and_none_from_itself(one, other):
    assert 0 <= drift(one, other) <= 1
    assert drift(one, other) == pytest.approx(drift(other, one))
    assert drift(one, one) == pytest.approx(0)


@given(layouts())
def test_a_layout_comes_back_from_its_text(layout):
    assert layout_from(layout.text) == layout
    assert len(layout.text) == len("layout@1:") + 136


@given(st.lists(layouts(), min_size=1, max_size=6), st.randoms())
@FEW
def test_a_median_knows_no_order_and_lies_among_those_it_is_of(some, chance):
    shuffled = chance.sample(some, len(some))
    median = median_of(some)
    assert median_of(shuffled) == median
    assert median_of([some[0]] * 3) == some[0]
    assert median_of(some + [median] * (len(some) + 1)) == median
    for k, value in enumerate(median.light):
        column = [layout.light[k] for layout in some]
        assert min(column) <= value <= max(column)


@given(pictures(least=16, most=40), st.integers(2, 4))
@FEW
def test_an_enlarged_picture_has_the_same_layout(pixels, factor):
    side = min(pixels.shape[:2]) // 16 * 16
    square = np.ascontiguousarray(pixels[:side, :side])
    large = square.repeat(factor, axis=0).repeat(factor, axis=1)
    assert drift(layout_of(square), layout_of(large)) < 0.02


@given(pictures(least=16))
@FEW
def test_how_pixels_lie_in_memory_does_not_count(pixels):
    wide = np.zeros((pixels.shape[0], pixels.shape[1], 4), np.uint8)
    wide[..., :3] = pixels
    assert layout_of(wide[..., :3]) == layout_of(pixels)
    flipped = np.ascontiguousarray(pixels[::-1])[::-1]
    assert layout_of(flipped) == layout_of(pixels)


@pytest.mark.parametrize("text", ["layout@1:", "layout@1:AAAA", "layout@1:!", "layout@2:AA", ""])
def test_a_text_of_another_length_or_kind_is_no_layout(text):
    with pytest.raises(ValueError, match=r"\w"):
        layout_from(text)
