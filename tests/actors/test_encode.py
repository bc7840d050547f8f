"""Files in every format: what goes in comes out, other tools read it, and nothing that a file
holds can hurt.
"""

import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from actors.pictures.files import MAX_PIXELS, RECIPE_CHUNK, pixels_digest, preview, read, write
from actors.pictures.jxl import is_jxl, read_jxl
from actors.pictures.metadata import MAX_COMMENT, MAX_RECORD
from actors.recipes.encoding import Encoding, Format

LOSSLESS = [Encoding(format=kind) for kind in (Format.PNG, Format.WEBP, Format.JXL)]
LOSSY = [
    Encoding(format=kind, quality=quality)
    for kind in (Format.WEBP, Format.JPEG, Format.JXL)
    for quality in (1, 90, 100)
]
ALL = [*LOSSLESS, *LOSSY]
HOSTILE = (
    "</seedbed:record> <&>\"' ]]> <!DOCTYPE a> &amp;lt; \\u0041 \U0001f600 \ufffe\uffff \u202e"
    " é\r\n\t\x7f \x01"
)
RECORD = {"recipe": {"prompt": HOSTILE, HOSTILE: [1, 2.5, None, True]}, "digest": "d" * 64}


def every(encodings):
    return pytest.mark.parametrize("encoding", encodings, ids=lambda encoding: encoding.name)


def picture(width=67, height=45):
    """Something smooth with noise on it, as photographs are."""
    noise = np.random.default_rng(0).integers(0, 12, (height, width, 3))
    ramp = np.linspace(0, 200, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    return (ramp + noise).astype(np.uint8)


@every(LOSSLESS)
def test_what_keeps_every_pixel_does(encoding):
    for size in ((1, 1), (1, 9), (9, 1), (67, 45), (300, 7)):
        found = read(write(picture(*size), RECORD, "", encoding))
        assert (found.pixels == picture(*size)).all()
        assert found.digest == pixels_digest(picture(*size))
        assert found.record == RECORD


@every(LOSSY)
def test_what_gives_pixels_up_gives_up_little_and_keeps_the_record(encoding):
    found = read(write(picture(), RECORD, "", encoding))
    assert found.record == RECORD
    assert np.abs(found.pixels.astype(int) - picture()).mean() < (
        3 if encoding.quality >= 90 else 40
    )


def test_a_higher_quality_is_nearer_and_larger():
    for kind in (Format.WEBP, Format.JPEG, Format.JXL):
        files = [
            write(picture(), {}, "", Encoding(format=kind, quality=quality))
            for quality in (10, 50, 95)
        ]
        sizes = [len(data) for data in files]
        distances = [np.abs(read(data).pixels.astype(int) - picture()).mean() for data in files]
        assert sizes == sorted(sizes)
        assert distances == sorted(distances, reverse=True)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    record=st.dictionaries(
        st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
    ),
    parameters=st.text(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50)
def test_a_png_gives_back_any_pixels_and_any_text(size, record, parameters, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    data = write(pixels, record, parameters, Encoding())
    found = read(data)
    assert (found.pixels == pixels).all()
    assert found.record == record
    with Image.open(io.BytesIO(data)) as image:
        assert image.text == {RECIPE_CHUNK: image.text[RECIPE_CHUNK], "parameters": parameters}


@every(
    [encoding for encoding in ALL if encoding.format is not Format.PNG and encoding.quality != 1]
)
@given(record=st.dictionaries(st.text(), st.text()), parameters=st.text())
@settings(max_examples=20)
def test_any_text_comes_back_from_xmp_and_exif(encoding, record, parameters):
    data = write(picture(8, 8), record, parameters, encoding)
    assert read(data).record == record
    assert comment(data) == parameters


def comment(data):
    """EXIF's UserComment, as other tools find it."""
    if is_jxl(data):
        at = data.index(b"Exif\0\0\0\0MM") + 8
        block = Image.Exif()
        block.load(data[at : at + struct.unpack(">I", data[at - 12 : at - 8])[0]])
    else:
        block = Image.open(io.BytesIO(data)).getexif()
    found = block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert found.startswith(b"UNICODE\0")
    return found[8:].decode("utf-16-be")


@every([encoding for encoding in ALL if encoding.format is not Format.JXL])
def test_other_tools_read_it(encoding):
    with Image.open(
        io.BytesIO(write(picture(), RECORD, f"{HOSTILE}\nSteps: 4", encoding))
    ) as image:
        image.load()
        assert (image.mode, image.size) == ("RGB", (67, 45))
        assert image.format == {"jpg": "JPEG"}.get(encoding.format, encoding.format.upper())
        if encoding.format is Format.PNG:
            assert image.text["parameters"] == f"{HOSTILE}\nSteps: 4"
            assert json.loads(image.text[RECIPE_CHUNK]) == RECORD


@every([encoding for encoding in ALL if encoding.format is not Format.PNG])
def test_the_xmp_is_xml(encoding):
    from xml.etree import ElementTree

    data = write(picture(), RECORD, "", encoding)
    packet = data[data.index(b"<x:xmpmeta") : data.index(b"</x:xmpmeta>") + 12]
    (element,) = ElementTree.fromstring(packet).iter("{urn:seedbed:xmp/}record")
    assert json.loads(element.text) == RECORD


@every([encoding for encoding in ALL if encoding.quality in (None, 90)])
def test_the_longest_prompts_fit(encoding):
    long = {"prompt": "\U0001f600" * 20_000, "negative": "<" * 20_000}
    data = write(picture(), long, long["prompt"], encoding)
    assert read(data).record == long
    if encoding.format is not Format.PNG:
        assert comment(data) == long["prompt"][:MAX_COMMENT]


@every([encoding for encoding in ALL if encoding.format is not Format.PNG])
def test_a_comment_that_is_too_long_keeps_the_line_of_settings(encoding):
    found = comment(
        write(
            picture(),
            RECORD,
            f"{'a' * MAX_COMMENT}\nNegative prompt: b\nSteps: 4, Seed: 7",
            encoding,
        )
    )
    assert len(found) == MAX_COMMENT
    assert found.endswith("aaa\nSteps: 4, Seed: 7")


@every([encoding for encoding in ALL if encoding.quality in (None, 90)])
def test_a_file_that_is_not_whole_is_no_picture(encoding):
    data = write(picture(), RECORD, "p", encoding)
    for length in {
        0,
        1,
        3,
        8,
        12,
        20,
        33,
        50,
        *range(0, len(data), 97),
        len(data) - 20,
        len(data) - 1,
    }:
        assert read(data[:length]) is None, length


@every([encoding for encoding in ALL if encoding.quality in (None, 90)])
def test_no_damage_is_more_than_no_picture(encoding):
    data, rng = write(picture(), RECORD, "p", encoding), np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            damaged[at] = rng.integers(256)
        read(bytes(damaged))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks, width=4, height=4):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes((width * 3 + 1) * height))) if height < 100 else b""
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + rows + chunk(b"IEND", b"")


def bits(*fields):
    """Numbers of so many bits each, the lowest first."""
    value = at = 0
    for number, count in fields:
        value, at = value | number << at, at + count
    return value.to_bytes(20, "little")


BOMBS = {
    "png": png(width=100_000, height=100_000),
    "webp": (
        b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f"
        + struct.pack("<I", 16_383 | 16_383 << 14)
        + bytes(12)
    ),
    "jpg": (
        b"\xff\xd8\xff\xc0\0\x11\x08"
        + struct.pack(">HH", 65_000, 65_000)
        + b"\3\1\x11\0\2\x11\0\3\x11\0\xff\xd9"
    ),
    "jxl": b"\xff\x0a" + bits((0, 1), (3, 2), (99_999, 30), (0, 3), (3, 2), (99_999, 30)),
    "jxl by ratio": b"\xff\x0a" + bits((0, 1), (3, 2), (99_999, 30), (1, 3)),
    "text of 100 MB": png(chunk(b"iTXt", b"seedbed" + bytes(5) + b" " * 100_000_000)),
    "text that unpacks to 1 GB": png(
        chunk(b"zTXt", b"seedbed\0\0" + zlib.compress(bytes(1_000_000_000), 1))
    ),
    "boxes without end": b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x08free" * 100_000,
    "box outside": b"\0\0\0\x0cJXL \r\n\x87\n" + struct.pack(">I4sQ", 1, b"jxlc", 2**63),
    "another format": b"GIF89a" + bytes(100),
}


_MEASURED = """
import sys, tracemalloc
from actors.pictures.files import read
data = sys.stdin.buffer.read()
tracemalloc.start()
print(read(data), tracemalloc.get_traced_memory()[1])
"""


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_hostile_file_is_no_picture_and_takes_no_memory(data):
    """Measured in a process of its own: threads that other tests left behind count into the peak
    of this one.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED], input=data, capture_output=True, check=True
    )
    found, peak = done.stdout.decode().split()
    assert found == "None"
    assert int(peak) < 50_000_000


def test_a_long_text_beside_the_pixels_is_no_harm():
    found = read(png(chunk(b"iTXt", b"comment" + bytes(5) + b" " * 10_000_000)))
    assert found.pixels.shape == (4, 4, 3)
    assert found.record is None


def test_a_record_that_cannot_be_one_is_none():
    for text in (
        "",
        "[]",
        "3",
        "{",
        "[" * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "' + "b" * MAX_RECORD + '"}',
    ):
        found = read(png(chunk(b"iTXt", b"seedbed" + bytes(5) + text.encode())))
        assert found.pixels.shape == (4, 4, 3)
        assert found.record is None


def test_a_picture_without_a_record_is_one():
    assert read(preview(picture())).record is None
    assert read(png()).digest == pixels_digest(np.zeros((4, 4, 3), np.uint8))


def test_the_size_in_a_jpeg_xl_is_found_however_it_is_written():
    for width, height in (
        (8, 8),
        (256, 256),
        (264, 256),
        (512, 512),
        (513, 512),
        (96, 80),
        (120, 100),
        (40, 30),
        (1, 300),
        (9000, 1),
    ):
        data = write(picture(width, height), {}, "", Encoding(format=Format.JXL))
        assert read_jxl(data, MAX_PIXELS)[0].shape == (height, width, 3)


def test_an_encoding_that_cannot_be_is_refused():
    for values in ({"quality": 90}, {"format": Format.JPEG}):
        with pytest.raises(ValueError, match="every pixel"):
            Encoding(**values)
