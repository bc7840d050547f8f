"""Whether a picture can be painted again: what its file carries, the campaign of one render that
does it, and how the two compare.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from PIL import Image

from actors.models.controls import kind_of_mode
from actors.models.spacings import SPACING, ZERO_SNR, snr_refusal, spacing_refusal
from actors.pictures.files import Pixels, pixels_digest, read
from actors.recipes.encoding import Encoding, named_encoding
from actors.recipes.recipe import Recipe
from farm.results.delivery import in_size, profile_of, size_of
from storage.errors import RequestError

Json = dict[str, Any]

PROJECT = "reproduce"
"""Pictures painted for comparison go to a project of their own, so that no picture of another
project can take their place.
"""

# Other kernels, devices and library versions round otherwise in the last bit of a float. Twenty
# steps carry that to a level or two in flat parts and to some tens at a few edges; another seed,
# prompt or model differs by 30 and more in the mean.
CLOSE_MEAN = 2.0
CLOSE_LARGEST = 32
_GAP = 4
_PAPER = (250, 250, 248)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that the farm painted: what can be seen, and the record of how it was made."""

    pixels: Pixels
    recipe: Recipe
    record: Json
    icc: bytes | None = None
    """Its colour profile, if it carries one."""

    @property
    def size(self) -> str:
        return f"{self.pixels.shape[1]}x{self.pixels.shape[0]}"


class Verdict(StrEnum):
    """What came of painting a picture again."""

    IDENTICAL = "identical"
    CLOSE = "close"
    DIFFERENT = "different"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a picture and its repaint compare, in levels of 255; no differences if their sizes
    differ.
    """

    verdict: Verdict
    largest: int | None = None
    mean: float | None = None
    reasons: tuple[str, ...] = ()


def read_picture(data: bytes) -> Picture:
    """What a file carries. Raises RequestError, naming what is missing, if that is too little
    to paint it again.
    """
    pixels, record, icc = _open(data)
    if record is None:
        raise RequestError(
            "The file carries no record of the farm: its recipe, model name, numerics class and"
            " versions are missing. Something has written it again without its metadata; give the"
            " file as the farm stored it."
        )
    missing = [
        name
        for name, kind in (("recipe", dict), ("model_name", str))
        if not isinstance(record.get(name), kind)
    ]
    if missing:
        raise RequestError(
            f"The record in the file has no {' and no '.join(missing)}: it was changed since the"
            " farm wrote it."
        )
    try:
        recipe = Recipe.from_json(record["recipe"])
        _ = recipe.digest
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise RequestError(
            f"The recipe in the file cannot be read ({exc}): it was changed, or written by another"
            " version."
        ) from exc
    profile_of(record, icc)  # before anything is painted to compare with
    return Picture(pixels=pixels, recipe=recipe, record=record, icc=icc)


def _open(data: bytes) -> tuple[Pixels, Json | None, bytes | None]:
    """The pixels of a file, the farm's record in it, and its colour profile."""
    found = read(data)
    if found is None:
        raise RequestError("The file is not a picture that the farm writes, or not a whole one.")
    return found.pixels, found.record, found.icc


def campaign_of(picture: Picture, *, name: str, model: str | None = None) -> Json:
    """A campaign whose only render has the picture's recipe. `model` takes the place of the name
    that the record has.

    Prompts are values of axes, not templates, and read literally: every character in them stays
    what it is, however long they may be.
    """
    return campaign_of_recipe(
        picture.recipe,
        name=name,
        model=model or picture.record["model_name"],
        encoding=str(picture.record.get("encoding", "png")),
        sources=picture.record.get("sources") or {},
    )


def campaign_of_recipe(
    recipe: Recipe, *, name: str, model: str, encoding: str, sources: Json
) -> Json:
    """The same of a recipe: `sources` say where the files are that it knows by their digests."""
    group = recipe.group
    texts = {
        key: text
        for key, text in (("prompt", recipe.prompt), ("negative", recipe.negative))
        if text
    }
    settings = {
        "steps": group.steps,
        "guidance": group.guidance,
        "scheduler": group.scheduler,
        "size": [group.width, group.height],
        "batch": group.batch,
        "dtype": group.dtype,
        "eta": group.eta,
        "clip_skip": group.clip_skip,
        "guidance_rescale": group.guidance_rescale,
        "vae_tile": group.vae_tile,
        **_laid_out(group.scheduler_config),
    }
    return {
        "name": name,
        "model": model,
        "syntax": "literal",
        **{key: f"{{{key}}}" for key in texts},
        "vary": {key: [text] for key, text in texts.items()},
        "settings": {key: value for key, value in settings.items() if value is not None},
        "seeds": [recipe.seed],
        **_output(encoding),
        **_sources(recipe, sources),
    }


def _laid_out(config: Json) -> Json:
    """How a scheduler's config lays its steps out, if a campaign could say so: the model's own may
    have been changed since.
    """
    spacing = None if spacing_refusal(config) else config.get(SPACING)
    is_zero = config.get(ZERO_SNR) is True and snr_refusal(config) is None
    return {"spacing": spacing, "terminal_snr": "zero" if is_zero else None}


def _output(encoding: str) -> Json:
    """How the file was written, like `webp` or `jpg-q90`: of two files that gave pixels up in the
    same way, the pixels can be compared.
    """
    try:
        written = named_encoding(encoding)
    except ValueError as exc:
        raise RequestError(
            f"The file says that it was written as {encoding}, which is no way to write one: its"
            " record was changed."
        ) from exc
    if written == Encoding():
        return {}
    quality = {} if written.quality is None else {"quality": written.quality}
    return {"output": {"format": written.format.value, **quality}}


def _sources(recipe: Recipe, sources: Json) -> Json:
    """The files beside the model that the recipe needs, from where the record says they were."""
    group = recipe.group
    parts: Json = {}
    try:
        if recipe.reference is not None:
            parts["reference"] = {
                "image": sources["reference"]["address"],
                "strength": group.strength,
            }
        if recipe.mask is not None:
            parts["reference"]["mask"] = sources["mask"]["address"]
        if group.control is not None:
            parts["control"] = {
                "model": sources["control"]["path"],
                "image": sources["control_image"]["address"],
                "scale": group.control.scale,
                "until": group.control.until,
                **({"kind": kind} if (kind := kind_of_mode(group.control.mode)) else {}),
            }
        if group.likeness is not None:
            parts["likeness"] = {
                "model": sources["likeness"]["path"],
                "image": sources["likeness_image"]["address"],
                "scale": group.likeness.scale,
                "of": group.likeness.of,
            }
        if group.upscale is not None:
            parts["upscale"] = {"model": sources["upscale"]["path"], "by": group.upscale.by}
        if recipe.edit:
            parts["edit"] = [source["address"] for source in sources["edit"]]
        if group.adapters:
            parts["adapters"] = [
                {"lora": source["path"], "scale": source["scale"]}
                for source in sources["adapters"]
            ]
    except (KeyError, TypeError) as exc:
        raise RequestError(
            "The picture was painted with a reference, a control, a likeness, an upscaler, an edit"
            " or adapters, and its record does not say where they were: it cannot be painted"
            " again."
        ) from exc
    return parts


def compare(was: Picture, now: Picture, *, recorded: str | None = None) -> Comparison:
    """Hold a picture against its repaint. `recorded` is the hash of its pixels that the job
    database has, if one was asked.
    """
    reasons = tuple(_reasons(was, now, recorded))
    now = _as_delivered(was, now)
    if was.pixels.shape != now.pixels.shape:
        return Comparison(
            verdict=Verdict.DIFFERENT,
            reasons=(f"The file is {was.size}, and its recipe paints {now.size}.", *reasons),
        )
    apart = _apart(was.pixels, now.pixels)
    largest, mean = int(apart.max()), float(apart.mean())
    if largest == 0:
        verdict = Verdict.IDENTICAL
    elif mean <= CLOSE_MEAN and largest <= CLOSE_LARGEST:
        verdict = Verdict.CLOSE
    else:
        verdict = Verdict.DIFFERENT
    if verdict is not Verdict.IDENTICAL and not reasons:
        reasons = (_no_reason(_painted(was, recorded)),)
    return Comparison(verdict=verdict, largest=largest, mean=mean, reasons=reasons)


def _as_delivered(was: Picture, now: Picture) -> Picture:
    """A repaint in the size in which the file was delivered, if that is not as it was painted."""
    size = size_of(was.record)
    if size is None:
        return now
    profile = profile_of(was.record, was.icc)
    return replace(now, pixels=in_size(now.pixels, now.record, size, profile))


def _painted(was: Picture, recorded: str | None) -> str | None:
    """The hash that the file's pixels had when it was written, if it is known. A lossy file's
    recorded hash is that of its pixels before encoding, so it does not count.
    """
    is_lossy = "-q" in str(was.record.get("encoding", ""))
    return None if is_lossy else was.record.get("pixels") or recorded


def _no_reason(painted: str | None) -> str:
    same = "No reason was found: recipe, numerics class and versions are the same"
    if painted is None:
        return (
            f"{same}, and there is no record of the pixels to tell whether the file was changed."
        )
    return (
        f"{same}, and the file is as it was painted. That should not be: `farm doctor` looks at"
        " the machine, and memory can be faulty."
    )


def _reasons(was: Picture, now: Picture, recorded: str | None) -> Iterator[str]:
    """The differences from the time when the picture was painted."""
    painted = _painted(was, recorded)
    if painted is not None and painted != pixels_digest(was.pixels):
        still = (
            "; its recipe paints what it painted then"
            if pixels_digest(now.pixels) == painted
            else ""
        )
        yield (
            "The file's pixels were changed since it was painted: they are not those that were"
            f" recorded{still}."
        )
    if was.record.get("digest") != was.recipe.digest:
        yield "The recipe in the file was altered: it does not match the digest beside it."
    yield from _other_parts(
        was.recipe.to_json(), now.recipe.to_json(), str(now.record["model_name"])
    )
    there, here = was.record.get("numerics_class"), now.record["numerics_class"]
    if there != here:
        yield f"It was painted in another numerics class: {there} there, {here} here."
    versions = was.record.get("versions")
    known = versions if isinstance(versions, dict) else {}
    others = [
        f"{name} {known.get(name)} there, {version} here"
        for name, version in now.record["versions"].items()
        if known.get(name) != version
    ]
    if others:
        yield f"Other library versions: {'; '.join(others)}."


def _other_parts(was: Json, now: Json, model_name: str) -> Iterator[str]:
    for key in sorted(was.keys() | now.keys()):
        there, here = was.get(key), now.get(key)
        if there == here:
            continue
        if key == "model":
            yield (
                f"Other weights: {model_name} stands for {str(here)[:12]}… now, and the file was"
                f" painted with {str(there)[:12]}…"
            )
        else:
            yield f"The recipe cannot be had as it was: {key} is {here} here, {there} in the file."


def side_by_side(was: Picture, now: Picture) -> bytes:
    """A PNG of the file, its repaint, and where they differ, the largest difference made white;
    without that for other sizes.
    """
    now = _as_delivered(was, now)
    panels = [was.pixels, now.pixels]
    if was.pixels.shape == now.pixels.shape:
        apart = _apart(was.pixels, now.pixels)
        panels.append((apart * (255 // max(1, int(apart.max())))).astype(np.uint8))
    width, height = (
        sum(p.shape[1] for p in panels) + _GAP * (len(panels) - 1),
        max(p.shape[0] for p in panels),
    )
    picture = Image.new("RGB", (width, height), _PAPER)
    left = 0
    for panel in panels:
        picture.paste(Image.fromarray(panel), (left, 0))
        left += panel.shape[1] + _GAP
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _apart(a: Pixels, b: Pixels) -> "np.ndarray[Any, np.dtype[np.int16]]":
    return np.abs(a.astype(np.int16) - b.astype(np.int16))
