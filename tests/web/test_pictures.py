"""Pictures for browsers: every format, small ones that are kept, and what is no picture."""

import io

import numpy as np
import pytest
from PIL import Image

from actors.pictures.files import read, write
from actors.recipes.encoding import Encoding, Format
from farm.service.thumbnails import Pictures
from storage.errors import NotFound
from storage.states import Stage
from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.web.test_map import database  # noqa: F401

WHERE = ("default", "spring", 0, None, Stage.FINAL)


@pytest.fixture
def stored(client, settings, database):  # noqa: F811
    """What the outputs have of render 0, and a way to put another file in its place."""
    from storage.campaigns import Campaigns

    client.submit(campaign())
    paint_all(database, settings)
    outputs = settings.open_outputs()
    key = client.render("spring", 0)["key"]
    return Campaigns(database), outputs, key


def pixels(width=300, height=200):
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return ramp.astype(np.uint8)


def test_a_picture_in_a_format_that_browsers_know_is_sent_as_it_is(stored):
    campaigns, outputs, key = stored
    found = Pictures(campaigns, outputs).whole(*WHERE)
    with outputs.open(key) as file:
        assert found.data == file.read()
    assert found.kind == "image/png"


def test_jpeg_xl_is_sent_as_png_with_every_pixel(stored, monkeypatch):
    campaigns, outputs, _ = stored
    outputs.put("default/spring/odd.jxl", write(pixels(), {}, "", Encoding(format=Format.JXL)))
    pictures = Pictures(campaigns, outputs)
    monkeypatch.setattr(pictures, "_file", lambda *_: ("default/spring/odd.jxl", "tag"))
    found = pictures.whole(*WHERE)
    assert found.kind == "image/png"
    assert np.array_equal(read(found.data).pixels, pixels())


def test_a_small_picture_keeps_its_shape_and_is_made_once(stored, monkeypatch):
    campaigns, outputs, key = stored
    outputs.put(key, write(pixels(), {}, "", Encoding()))
    pictures = Pictures(campaigns, outputs)
    first = pictures.small(*WHERE)
    size = Image.open(io.BytesIO(first.data)).size
    assert size == (256, 171)
    outputs.put(key, b"no picture any more")
    again = pictures.small(*WHERE)
    assert again.data == first.data
    assert again.tag == first.tag


def test_only_so_many_bytes_of_small_pictures_are_kept(stored):
    campaigns, outputs, _ = stored
    pictures = Pictures(campaigns, outputs, kept_bytes=1)
    first = pictures.small(*WHERE)
    assert pictures._size == 0
    assert pictures.small(*WHERE).data == first.data


@pytest.mark.parametrize("how", ["small", "whole"])
def test_a_file_that_is_no_picture_is_named(stored, monkeypatch, how):
    campaigns, outputs, _ = stored
    outputs.put("default/spring/broken.jxl", b"<html>")
    pictures = Pictures(campaigns, outputs)
    monkeypatch.setattr(pictures, "_file", lambda *_: ("default/spring/broken.jxl", "tag"))
    with pytest.raises(NotFound, match=r"broken\.jxl .*cannot be read as a picture"):
        getattr(pictures, how)(*WHERE)
