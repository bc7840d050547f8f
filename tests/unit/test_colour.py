"""Colours beside published values and an independent library."""

import io

import numpy as np
import pytest
from coloraide import Color

from actors.pictures.colour import ciede2000, lab, linear, oklab

# Sharma, Wu and Dalal (2005), table 1: two colours in CIELAB, and the difference between them.
SHARMA = np.loadtxt(
    io.StringIO("""
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
""")
)


def pixels(count=200):
    """Corners of the cube, near-blacks, and colours at random."""
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)])
    dark = np.array([[1, 1, 1], [10, 11, 12], [254, 255, 255], [128, 128, 128]])
    other = np.random.default_rng(5).integers(0, 256, (count, 3))
    return np.concatenate([corners, dark, other]).astype(np.uint8)


def converted(space):
    return np.array(
        [
            Color("srgb", [value / 255 for value in rgb]).convert(space).coords()
            for rgb in pixels().tolist()
        ]
    )


def test_ciede2000_gives_the_published_differences():
    found = ciede2000(SHARMA[:, :3], SHARMA[:, 3:6])
    assert (np.round(found, 4) == SHARMA[:, 6]).all()
    assert ciede2000(SHARMA[:, 3:6], SHARMA[:, :3]) == pytest.approx(found)


def test_ciede2000_agrees_with_another_library_on_every_pair():
    found = lab(pixels())
    expected = [
        Color("lab-d65", list(one)).delta_e(Color("lab-d65", list(other)), method="2000")
        for one, other in zip(found, found[::-1], strict=True)
    ]
    assert ciede2000(found, found[::-1]) == pytest.approx(expected, abs=1e-9)


def test_lab_and_oklab_agree_with_another_library():
    assert lab(pixels()) == pytest.approx(converted("lab-d65"), abs=1e-9)
    assert oklab(pixels()) == pytest.approx(converted("oklab"), abs=1e-9)


def test_light_agrees_with_another_library():
    assert linear(pixels()) == pytest.approx(converted("srgb-linear"), abs=1e-12)


def test_pictures_of_any_shape_are_converted_and_broadcast():
    picture = pixels(88).reshape(10, 10, 3)
    assert lab(picture)[3, 4] == pytest.approx(lab(picture[3, 4]))
    assert oklab(picture).shape == (10, 10, 3)
    palette = lab(pixels()[:4])
    found = ciede2000(lab(picture)[..., None, :], palette)
    assert found.shape == (10, 10, 4)
    assert found[2, 7, 3] == pytest.approx(float(ciede2000(lab(picture[2, 7]), palette[3])))
