"""A recipe: everything that decides a picture's pixels, and nothing else."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

Json = dict[str, Any]
FILES = ("reference", "mask", "control_image", "likeness_image")
"""The pictures that a recipe knows by their digests."""


def whole(digest: str) -> str:
    """What an engine calls the picture of a file in its own shape, beside the same in that of a
    group.
    """
    return f"whole:{digest}"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spare spaces, so that equal values have equal text."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )


def digest_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA laid over a model's weights: the digest of its file, and how strongly it counts."""

    digest: str
    scale: float


@dataclass(frozen=True, kw_only=True)
class Control:
    """A ControlNet beside a model: the digest of its files, how strongly it counts, and up to
    which part of all steps, 0 to 1. `mode` is the number of the kind of picture that a union of
    several ControlNets follows.
    """

    digest: str
    scale: float
    until: float = 1.0
    mode: int | None = None


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """An IP-Adapter beside a model: the digest of its files, how strongly it counts, and which
    part of a picture's likeness it brings, as `Family.likenesses` names it.
    """

    digest: str
    scale: float
    of: str


@dataclass(frozen=True, kw_only=True)
class Upscale:
    """How pictures are made larger after they were painted: `by` times as many pixels a side, by
    Lanczos, or by the model whose files have a digest. A model sees a larger picture in tiles of
    `tile` pixels a side.
    """

    by: int
    digest: str | None = None
    tile: int | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """What renders must share to be painted in one device call.

    `batch` is the shape of that call. It is here because kernels choose their order of summation
    by shape: at a fixed shape a picture is the same bit for bit in any slot, between shapes it is
    not.
    """

    model: str  # digest of the weights
    pipeline: str
    steps: int
    guidance: float | None = None
    """None if the model has none."""
    scheduler: str
    scheduler_config: Json
    width: int
    height: int
    dtype: str
    batch: int
    strength: float | None = None
    """How far a picture may leave its reference, 0 to 1; None if it begins from noise alone."""
    adapters: tuple[Adapter, ...] = ()
    control: Control | None = None
    """What makes pictures follow another one; None if nothing does."""
    likeness: Likeness | None = None
    """What makes pictures be like another one; None if nothing does."""
    upscale: Upscale | None = None
    """How they are made larger; None if they stay as they were painted."""
    edits: int | None = None
    """How many pictures each one is an edit of; None if it is of none."""
    eta: float | None = None
    """How much new noise each step draws, 0 to 1; None for none."""
    clip_skip: int | None = None
    """How many of CLIP's last layers are left out; None for none."""
    guidance_rescale: float | None = None
    """How far guided pictures are brought back to the contrast of unguided ones, 0 to 1."""
    vae_tile: int | None = None
    """In tiles of how many pixels a side the VAE sees them; None for whole pictures."""

    @property
    def steps_made(self) -> int:
        """How many steps a picture makes: one that begins from a reference makes only the later
        part of them.
        """
        return (
            self.steps
            if self.strength is None
            else min(int(self.steps * self.strength), self.steps)
        )

    @property
    def megapixel_steps(self) -> float:
        """The cost of one render."""
        return self.width * self.height * self.steps / 1e6

    @property
    def shape(self) -> str:
        """What decides, for a model, how long a megapixel-step takes on one kind of device."""
        passes = 1 if self.guidance is None or self.guidance <= 1 else 2
        begin = "noise" if self.strength is None else f"reference-{self.strength:g}"
        beside = "" if self.control is None else ":control"
        beside += "" if self.likeness is None else ":likeness"
        beside += "" if self.upscale is None or self.upscale.digest is None else ":upscale"
        edits = f":edit-{self.edits}" if self.edits else ""
        size = f"{self.batch}x{self.width}x{self.height}"
        return f"{self.dtype}:{size}:{passes}:{begin}{beside}{edits}"

    @cached_property
    def _values(self) -> Json:
        # What a recipe does not have is not in it: so the digests of those before there was such a
        # thing stay as they are.
        parts = {"control": _present(self.control), "upscale": _present(self.upscale)}
        values = {**asdict(self), **parts}
        return {name: value for name, value in values.items() if value is not None and value != ()}


_PARTS: Mapping[str, type] = {"control": Control, "likeness": Likeness, "upscale": Upscale}


def _present(part: Control | Upscale | None) -> Json | None:
    if part is None:
        return None
    return {name: value for name, value in asdict(part).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One picture of a group. `seed` alone decides its noise, `reference` is the digest of the
    file that it begins from, `mask` of the one that says which part of it is painted anew,
    `control_image` of the one that the group's control makes it follow, `likeness_image` of the
    one that it is like, `edit` of those that it is an edit of, in the order in which the model
    sees them.
    """

    group: Group
    prompt: str
    negative: str
    seed: int
    reference: str | None = None
    mask: str | None = None
    control_image: str | None = None
    likeness_image: str | None = None
    edit: tuple[str, ...] = ()

    def to_json(self) -> Json:
        own = {"prompt": self.prompt, "negative": self.negative, "seed": self.seed}
        files = {name: getattr(self, name) for name in FILES}
        return {
            **self.group._values,
            **own,
            **{name: digest for name, digest in files.items() if digest},
            **({"edit": list(self.edit)} if self.edit else {}),
        }

    @classmethod
    def from_json(cls, value: Json) -> "Recipe":
        fields = dict(value)
        own = {name: fields.pop(name) for name in ("prompt", "negative", "seed")}
        files = {name: fields.pop(name, None) for name in FILES}
        adapters = tuple(Adapter(**adapter) for adapter in fields.pop("adapters", ()))
        parts: Json = {
            name: kind(**fields.pop(name)) for name, kind in _PARTS.items() if name in fields
        }
        edit = tuple(fields.pop("edit", ()))
        group = Group(**fields, adapters=adapters, **parts)
        return cls(group=group, edit=edit, **files, **own)

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical JSON: the render's identity."""
        return digest_of(self.to_json())
