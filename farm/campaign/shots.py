"""One render of a campaign: a shot, which is a cell of the product of axes, with one seed."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

from actors.recipes.recipe import canonical_json
from farm.campaign.axes import Axis
from farm.campaign.seeding import DERIVATION
from farm.campaign.sources import FILES, NONE

_SLUG = 60
# On Windows, no file or folder can have a name that begins so.
_DEVICE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)\.")
_SIGN = re.compile(r"(?<![\w.])[+-](?=\.?\d)")  # of a number: a hyphen is no sign


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One cell of the product of axes."""

    coordinates: Mapping[str, Any]
    by_content: Mapping[str, Any]
    """The coordinates, with the digests of files in place of their addresses."""
    prompt: str
    negative: str
    reference: str | None = None
    """The address of the picture that it begins from."""
    mask: str | None = None
    """The address of the picture of the part that is painted anew."""
    control_image: str | None = None
    """The address of the picture that a ControlNet makes it follow."""
    likeness_image: str | None = None
    """The address of the picture that an IP-Adapter makes it like."""
    edit: tuple[str, ...] = ()
    """The addresses of the pictures that it is an edit of, in the order in which the model sees
    them.
    """
    derivation: int = DERIVATION

    @property
    def files(self) -> tuple[str, ...]:
        """The addresses of the pictures that it is painted from."""
        named = (self.reference, self.mask, self.control_image, self.likeness_image)
        return (*(address for address in named if address is not None), *self.edit)

    @cached_property
    def key(self) -> str:
        """A folder name that a person can read: the values, and sixteen digits of a hash that
        tells similar ones apart.

        Axes are sorted, so that a shot keeps its name when a campaign's axes are put in another
        order.
        """
        words = "_".join(
            _slug(name, self.coordinates[name], self.derivation)
            for name in sorted(self.coordinates)
        )[:_SLUG].strip("-_")
        words = _named(words)
        digest = hashlib.sha256(canonical_json(dict(self.by_content)).encode()).hexdigest()[:16]
        return f"{words}_{digest}" if words else f"shot_{digest}"


@dataclass(frozen=True, kw_only=True)
class Render:
    """One shot with one seed."""

    number: int
    shot: Shot
    seed: int
    version: int = 1
    """Its place among the pictures of its cell and seed place: 1 for the one that the file asks
    for.
    """


def _slug(axis: str, value: object, derivation: int) -> str:
    parts = value if isinstance(value, Mapping) else {axis: value}
    text = " ".join(
        (PurePath(str(part)).stem if name in FILES else str(part)) or NONE
        for name, part in parts.items()
    )
    if derivation > 1:
        text = _SIGN.sub(lambda found: "plus-" if found[0] == "+" else "minus-", text)
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def values_of_key(axes: Sequence[Axis], key: str, derivation: int) -> dict[int, list[int]]:
    """What the words of a shot's key tell of its values: on axes by their places, the indices of
    those that the shot can have. An axis of which they tell nothing is left out.
    """
    order = sorted(range(len(axes)), key=lambda place: axes[place].name)
    slugs = {
        place: [_slug(axes[place].name, value, derivation) for value in axes[place].values]
        for place in order
    }
    if not all(map(all, slugs.values())):  # a value without a word leaves no place for it
        return {}
    if order:  # its word is first in the key
        slugs[order[0]] = [_named(slug) for slug in slugs[order[0]]]
    parts = key.rpartition("_")[0].split("_")
    found = {
        place: [k for k, slug in enumerate(slugs[place]) if slug == part]
        for place, part in zip(order, parts[:-1], strict=False)
    }
    if len(parts) <= len(order):  # the last of the words may be cut off
        place = order[len(parts) - 1]
        found[place] = [k for k, slug in enumerate(slugs[place]) if slug.startswith(parts[-1])]
    return found


def _named(words: str) -> str:
    return _DEVICE.sub(r"\1-", words)


@dataclass(frozen=True, kw_only=True)
class Redo:
    """A render that was asked for again with a recorded change. It keeps the cell and the settings
    of the render `of`.
    """

    number: int
    of: int
    version: int
    """Its place among the pictures of its cell and seed place: 2 for the first redo."""
    seed: int
    prompt: str | None = None
    """The whole prompt, if that changes."""
    has_proof: bool = False
    """Whether its proof is painted first."""

    def changed(self, render: Render) -> Render:
        shot = render.shot if self.prompt is None else replace(render.shot, prompt=self.prompt)
        return replace(render, number=self.number, shot=shot, seed=self.seed, version=self.version)
