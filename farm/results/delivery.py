"""Pictures in the sizes and the colour profile in which they are delivered: cut around the centre
to the shape, then brought to the size. Each file says of which picture it was made, so that it can
be made again.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from actors.painting.infotext import infotext
from actors.pictures.files import MAX_PIXELS, Picture, Pixels, pixels_digest, read, write
from actors.pictures.profiles import MOST_BYTES, SRGB, Profile, srgb
from actors.pictures.reference import fitted
from actors.recipes.encoding import named_encoding
from actors.recipes.recipe import Json, Recipe
from storage.errors import RequestError

Size = tuple[int, int]
"""Width and height in pixels."""
KEY = "delivered"


@dataclass(frozen=True)
class Delivery:
    """How pictures are delivered beside those that were painted: in which sizes, and in which
    colour profile; None for the plain sRGB in which they were painted.
    """

    sizes: Sequence[Size] = ()
    profile: Profile | None = None


AS_PAINTED = Delivery()
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


def delivery_profile(named: str | None) -> Profile | None:
    """The colour profile in a file, or `srgb`; None for none. Raises RequestError for a file that
    cannot be read, or is no profile for red, green and blue.
    """
    if named is None:
        return None
    if named.lower() == SRGB:
        return srgb()
    try:
        with Path(named).open("rb") as file:
            return Profile(file.read(MOST_BYTES + 1))
    except OSError as exc:
        raise RequestError(f"The profile {named} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise RequestError(f"{named} cannot be the profile of a picture: {exc}.") from exc


def delivered(picture: Picture, size: Size, profile: Profile | None = None) -> bytes:
    """The file of a picture in another size, in the format of its own. Raises RequestError if it
    carries no record of the farm.
    """
    record, pixels = picture.record or {}, fitted(picture.pixels, *size)
    pixels = pixels if profile is None else profile.of(pixels)
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
        KEY: {"size": list(size), "of": record.get("pixels"), **_named(profile)},
    }
    return write(pixels, own, text, encoding, None if profile is None else profile.icc)


def is_delivered(data: bytes | None, profile: Profile | None) -> bool:
    """Whether a file is a picture that was delivered in a profile, or with None in none."""
    made = None if data is None else read(data)
    told = None if made is None or made.record is None else made.record.get(KEY)
    wanted = None if profile is None else profile.digest
    return isinstance(told, dict) and told.get("profile") == wanted


def _named(profile: Profile | None) -> Json:
    return {} if profile is None else {"profile": profile.digest}


def size_of(record: Json) -> Size | None:
    """The size in which the picture with this record is delivered; None if it is as painted."""
    found = record.get(KEY)
    size = found.get("size") if isinstance(found, dict) else None
    return delivery_size("x".join(map(str, size))) if isinstance(size, list) else None


def profile_of(record: Json, icc: bytes | None) -> Profile | None:
    """The profile in which the picture with this record was delivered, out of its file; None if in
    none. Raises RequestError if the file carries another by now.
    """
    found = record.get(KEY)
    wanted = found.get("profile") if isinstance(found, dict) else None
    if wanted is None:
        return None
    with suppress(ValueError):
        profile = Profile(icc or b"")
        if profile.digest == wanted:
            return profile
    raise RequestError(
        "The file does not carry the colour profile that it was delivered in: something has"
        " written it again. Give the file as the farm wrote it."
    )


def in_size(pixels: Pixels, record: Json, size: Size, profile: Profile | None) -> Pixels:
    """The pixels of a picture that was painted again, as its delivered file would hold them."""
    made = read(delivered(Picture(pixels=pixels, record=record), size, profile))
    assert made is not None  # it was written just now
    return made.pixels
