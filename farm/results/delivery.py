"""Pictures in the sizes in which they are delivered: cut around the centre to the shape, then
brought to the size. Each file says of which picture it was made, so that it can be made again.
"""

import re

from actors.painting.infotext import infotext
from actors.pictures.files import MAX_PIXELS, Picture, Pixels, pixels_digest, read, write
from actors.pictures.reference import fitted
from actors.recipes.encoding import named_encoding
from actors.recipes.recipe import Json, Recipe
from storage.errors import RequestError

Size = tuple[int, int]
"""Width and height in pixels."""
KEY = "delivered"
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_LEAST = 16


def delivery_size(written: str) -> Size:
    """A size like 1200x628. Raises RequestError for anything else, and for sizes that are too
    small or too large.
    """
    found = _SIZE.fullmatch(written.strip().lower())
    if found is None:
        raise RequestError(f"{written!r} is no size: write WIDTHxHEIGHT, like 1200x628.")
    width, height = int(found[1]), int(found[2])
    if min(width, height) < _LEAST or width * height > MAX_PIXELS:
        raise RequestError(
            f"Pictures of {width}x{height} are not made: each side has at least {_LEAST} pixels,"
            f" and both together {MAX_PIXELS:,}."
        )
    return width, height


def delivered(picture: Picture, size: Size) -> bytes:
    """The file of a picture in another size, in the format of its own. Raises RequestError if it
    carries no record of the farm.
    """
    record, pixels = picture.record or {}, fitted(picture.pixels, *size)
    try:
        text = infotext(Recipe.from_json(record["recipe"]), str(record["model_name"]))
        encoding = named_encoding(record["encoding"])
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise RequestError(
            "A picture cannot be delivered in another size, as it has no whole record of the farm."
        ) from exc
    own: Json = {
        **record,
        "pixels": pixels_digest(pixels),
        KEY: {"size": list(size), "of": record.get("pixels")},
    }
    return write(pixels, own, text, encoding)


def size_of(record: Json) -> Size | None:
    """The size in which the picture with this record is delivered; None if it is as painted."""
    found = record.get(KEY)
    size = found.get("size") if isinstance(found, dict) else None
    return delivery_size("x".join(map(str, size))) if isinstance(size, list) else None


def in_size(pixels: Pixels, record: Json, size: Size) -> Pixels:
    """The pixels of a picture that was painted again, as its delivered file would hold them."""
    made = read(delivered(Picture(pixels=pixels, record=record), size))
    assert made is not None  # it was written just now
    return made.pixels
