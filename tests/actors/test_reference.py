"""Reference files as strangers make them: each is read for what it means, or refused with a
sentence.
"""

import io
import struct
import zlib
from contextlib import suppress

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from actors.pictures import files as encode
from actors.pictures.reference import MAX_BYTES, fitted, read_reference
from actors.recipes.encoding import Encoding, Format
from storage.errors import RequestError

RAMP = np.linspace(0, 255, 32 * 24 * 3).astype(np.uint8).reshape(24, 32, 3)


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(
        file, kind, **options
    )
    return file.getvalue()


def png(width, height, depth, kind, rows, *, chunks=()):
    """A PNG by hand, for what Pillow does not write."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_a_lossless_file_is_read_as_it_is(kind, options):
    pixels = read_reference(saved(RAMP, kind, **options))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, RAMP)


def test_a_jpeg_is_read():
    assert np.abs(read_reference(saved(RAMP, "JPEG", quality=95)).astype(int) - RAMP).mean() < 8


def test_greys_of_sixteen_bits_are_rounded_to_the_nearest_of_eight():
    grey = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    pixels = read_reference(saved(Image.fromarray(grey)))
    assert np.array_equal(pixels[..., 0], np.rint(grey / 257))
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_colours_of_sixteen_bits_keep_their_height():
    row = b"\0" + struct.pack(">HHH", 0x8000, 0xFFFF, 0x0100) * 16
    assert (
        np.abs(read_reference(png(16, 16, 16, 2, row * 16)).astype(int) - (128, 255, 1)).max() <= 1
    )


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "GIF"])
def test_other_files_that_keep_every_pixel_are_read_as_they_are(kind):
    picture = Image.fromarray(RAMP).convert("P" if kind == "GIF" else "RGB")
    assert np.array_equal(read_reference(saved(picture, kind)), np.asarray(picture.convert("RGB")))


def test_what_the_farm_has_painted_is_read_whatever_its_format():
    assert np.array_equal(read_reference(of_the_farm()), RAMP)


@pytest.mark.parametrize(
    "make", [lambda **o: saved(RAMP, "AVIF", quality=95, **o), lambda **o: heic(RAMP, **o)]
)
def test_what_phones_write_is_read_upright_and_in_its_colours(make):
    assert np.abs(read_reference(make()).astype(int) - RAMP).mean() < 8
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    assert (
        np.abs(read_reference(make(exif=exif.tobytes())).astype(int) - np.rot90(RAMP, -1)).mean()
        < 8
    )
    with pytest.raises(RequestError, match="colour profile"):
        read_reference(make(icc_profile=b"no profile" * 20))


def test_heic_without_its_library_is_named(monkeypatch):
    monkeypatch.setattr("actors.pictures.reference._reads_heif", lambda: False)
    data = heic(RAMP)
    monkeypatch.setattr(
        Image, "OPEN", {name: reader for name, reader in Image.OPEN.items() if name != "HEIF"}
    )
    with pytest.raises(
        RequestError,
        match=r"HEIC, as phones write it.*save it as PNG.*pip install 'seedbed\[heif\]'",
    ):
        read_reference(data)


@pytest.mark.parametrize("compress", [True, False])
def test_texts_and_profiles_in_a_png_may_be_large(compress):
    """Tools write whole workflows into their pictures, and profiles of printers have tables."""
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 3_000_000, zip=compress)
    info.add_itxt("prompt", "ä" * 3_000_000, zip=compress)
    assert np.array_equal(read_reference(saved(RAMP, pnginfo=info)), RAMP)
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile += bytes(5_000_000)
    profile[:4] = struct.pack(">I", len(profile))
    pixels = read_reference(saved(RAMP, icc_profile=bytes(profile)))
    assert np.abs(pixels.astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_what_a_camera_wrote_beside_the_picture_may_be_nonsense(kind):
    exif = b"Exif\0\0" + b"nonsense" * 9
    picture = saved(RAMP, kind) if kind == "TIFF" else saved(RAMP, kind, exif=exif)
    assert read_reference(picture).shape == RAMP.shape


def test_a_tiff_with_a_smaller_copy_is_its_first_picture():
    assert np.array_equal(read_reference(pages(1)), RAMP)


def test_a_tiff_of_lab_colours_is_brought_to_srgb():
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (20, 20), (200, 60, 30)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert np.abs(read_reference(saved(lab, "TIFF"))[0, 0].astype(int) - (200, 60, 30)).max() <= 3


def test_a_tiff_of_sixteen_bits_is_rounded_and_upright():
    grey = np.linspace(0, 65535, 32 * 20).astype(np.uint16).reshape(20, 32)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = read_reference(saved(Image.fromarray(grey), "TIFF", exif=exif))
    assert np.array_equal(pixels[..., 0], np.rot90(np.rint(grey / 257), -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_clear_lies_over_white(mode):
    if mode == "P":
        image, options = (
            Image.fromarray(np.zeros((16, 16), np.uint8)).convert("P"),
            {"transparency": 0},
        )
    else:
        image, options = Image.new(mode, (16, 16), (0,) * len(mode)), {}
    assert (read_reference(saved(image, **options)) == 255).all()


def test_half_clear_is_half_white():
    assert (
        abs(int(read_reference(saved(Image.new("RGBA", (16, 16), (0, 0, 0, 128))))[0, 0, 0]) - 127)
        <= 1
    )


def test_a_clear_grey_of_sixteen_bits_lies_over_white():
    data = png(16, 16, 16, 0, (b"\0" + b"\x12\x34" * 16) * 16, chunks=[(b"tRNS", b"\x12\x34")])
    assert (read_reference(data) == 255).all()


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_greys_and_palettes_become_colours(mode):
    image = Image.fromarray(RAMP).convert(mode)
    assert np.array_equal(read_reference(saved(image)), np.asarray(image.convert("RGB")))


def test_cmyk_becomes_rgb():
    pixels = read_reference(
        saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    )
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels[0, 0].astype(int) - (255, 0, 0)).max() <= 6


def test_colours_are_meant_as_their_profile_says():
    lab = Image.new("RGB", (16, 16), (10, 200, 30))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (
        np.abs(read_reference(saved(lab, icc_profile=profile)).astype(int) - (10, 200, 30)).max()
        <= 1
    )
    with pytest.raises(RequestError, match=r"colour profile.*save it again in sRGB"):
        read_reference(saved(lab, icc_profile=b"no profile" * 20))
    # A profile of other colours than the picture's says nothing about them.
    grey = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    assert (read_reference(saved(grey, "JPEG", icc_profile=profile)) < 12).all()


def test_a_picture_stands_as_the_camera_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    assert np.array_equal(read_reference(saved(RAMP, exif=exif)), np.rot90(RAMP, -1))


def test_a_picture_with_a_second_view_is_its_first():
    """As many cameras write them: a JPEG with another behind it, known as MPO."""
    file = io.BytesIO()
    first = Image.fromarray(RAMP)
    first.save(
        file, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 24), "red")], quality=95
    )
    assert np.abs(read_reference(file.getvalue()).astype(int) - RAMP).mean() < 8


def animation(kind):
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def tiff(tag, value):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = value
    return saved(RAMP, "TIFF", tiffinfo=tags)


def pages(subfile):
    """A TIFF with a second picture, said to be of some kind."""
    second = Image.fromarray(RAMP[:20, :20])
    second.encoderinfo = {"tiffinfo": {254: subfile}}
    return saved(Image.fromarray(RAMP), "TIFF", save_all=True, append_images=[second])


def heic(pixels, **options):
    pillow_heif.register_heif_opener()
    return saved(pixels, "HEIF", quality=-1, **options)


def of_the_farm():
    return encode.write(RAMP, {"recipe": {}}, "", Encoding(format=Format.JXL))


HOSTILE = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"<html>not found</html>" * 50, "no picture.*PNG, JPEG or WebP"),
    "an empty drawing": (
        lambda: b"\n<?xml version='1.0'?>\n<!-- by hand -->\n<svg xmlns='x'/>",
        "an SVG drawing, which is not read.*PNG",
    ),
    "a PDF": (lambda: b"%PDF-1.7\n" * 9, "a PDF document, which is not read: save it as PNG"),
    "a pointer of Git LFS": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a pointer of Git LFS",
    ),
    "a video": (lambda: b"\0\0\0\x18ftypmp42" + bytes(99), "a video: take one picture"),
    "an archive": (lambda: b"PK\x03\x04" + bytes(99), "an archive: unpack it"),
    "raw data of a camera": (lambda: b"FUJIFILMCCD-RAW 0201" + bytes(99), "raw data of a camera"),
    "raw data in a TIFF": (lambda: tiff(254, 1), "raw data of a camera"),
    "a DNG": (lambda: tiff(50706, b"\1\4\0\0"), "raw data of a camera"),
    "high dynamic range": (lambda: b"\x76\x2f\x31\x01" + bytes(99), "high dynamic range"),
    "a JPEG 2000": (
        lambda: saved(RAMP, "JPEG2000"),
        "of the kind JPEG2000, which is not read: save it as PNG",
    ),
    "a Photoshop file": (
        lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 20, 20, 8, 3) + bytes(99),
        "of the kind PSD",
    ),
    "a JPEG XL of others": (
        lambda: imagecodecs.jpegxl_encode(RAMP, lossless=True),
        "a JPEG XL picture that was not painted by the farm",
    ),
    "a JPEG XL cut off": (lambda: of_the_farm()[:-40], "cut off or damaged"),
    "a TIFF of several pages": (
        lambda: pages(0),
        "the TIFF has several pages: save the one picture",
    ),
    "a TIFF of fractions": (lambda: saved(Image.new("F", (20, 20)), "TIFF"), "colours of 32 bits"),
    "a TIFF of long numbers": (
        lambda: saved(Image.new("I", (20, 20)), "TIFF"),
        "colours of 32 bits",
    ),
    "a TIFF cut off": (lambda: saved(RAMP, "TIFF")[:2000], "cut off or damaged"),
    "a TIFF that is a bomb": (
        lambda: saved(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4"),
        "more than 100 million",
    ),
    "an AVIF cut off": (lambda: saved(RAMP, "AVIF")[:300], "cut off or damaged|no picture"),
    "an animated GIF": (lambda: animation("GIF"), "animation"),
    "an animated AVIF": (lambda: animation("AVIF"), "animation"),
    "a HEIC cut off": (lambda: heic(RAMP)[:300], "cut off or damaged|no picture"),
    "a HEIC with nothing in it": (
        lambda: b"\0\0\0\x18ftypheic" + bytes(12),
        "cut off or damaged|no picture",
    ),
    "a program for a printer": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n" * 3,
        "save it as PNG",
    ),
    "a PNG cut off": (
        lambda: saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[:5000],
        "cut off or damaged",
    ),
    "a JPEG cut off": (
        lambda: saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "JPEG")[
            :2000
        ],
        "cut off or damaged",
    ),
    "a WebP cut off": (
        lambda: saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "WEBP")[
            :500
        ],
        "cut off or damaged",
    ),
    "a broken head": (lambda: saved(RAMP)[:20], "cut off or damaged|no picture"),
    "an animated PNG": (lambda: animation("PNG"), "animation"),
    "an animated WebP": (lambda: animation("WEBP"), "animation"),
    "a bomb": (lambda: png(50_000, 50_000, 8, 2, b"\0" * 100_000), "more than 100 million pixels"),
    "a smaller bomb": (
        lambda: png(11_000, 11_000, 8, 2, b"\0" * 100_000),
        "more than 100 million pixels",
    ),
    "a bomb of text": (
        lambda: png(
            16,
            16,
            8,
            2,
            (b"\0" * 49) * 16,
            chunks=[(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 90_000_000))],
        ),
        "cut off or damaged",
    ),
    "too small": (
        lambda: saved(np.zeros((15, 40, 3), np.uint8)),
        "40x15: each side must have at least 16",
    ),
    "too many bytes": (lambda: b"\x89PNG" + bytes(MAX_BYTES), "larger than 64 MB"),
}


@pytest.mark.filterwarnings(
    "ignore:Truncated File Read:UserWarning"
)  # Pillow tells of it before it raises
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(kind):
    make, words = HOSTILE[kind]
    with pytest.raises(RequestError, match=words):
        read_reference(make())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_every_damaged_file_is_refused_or_read_and_nothing_else():
    random = np.random.default_rng(1)
    for data in (
        heic(RAMP),
        of_the_farm(),
        *(saved(RAMP, kind) for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")),
    ):
        for _ in range(150):
            broken = bytearray(data[: random.integers(1, len(data) + 1)])
            broken[random.integers(0, len(broken))] ^= random.integers(1, 256)
            with suppress(RequestError):
                assert read_reference(bytes(broken)).ndim == 3


def test_a_picture_is_cut_around_its_centre_and_brought_to_size():
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    assert (fitted(wide, 40, 40) == 200).all()
    assert (fitted(wide.transpose(1, 0, 2), 10, 10) == 200).all()
    assert fitted(wide, 64, 32).shape == (32, 64, 3)
    assert np.array_equal(fitted(RAMP, 32, 24), RAMP)
