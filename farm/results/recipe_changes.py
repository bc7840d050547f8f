"""What changed from one recipe to another, in words: "guidance 5 -> 7". Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from actors.models.controls import kind_of_mode
from actors.recipes.recipe import FILES, Adapter, Group, Recipe
from farm.campaign.expansion import Expansion

Json = dict[str, Any]
_LONGEST = 60  # letters of a value that are shown
_DIGITS = 8  # of a digest
_BRING_A_PIPELINE = ("model", *FILES, "control", "likeness", "edit", "scheduler")
_OPTIONS = ("guidance_rescale", "clip_skip", "eta", "vae_tile")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A recipe, and what a person calls the files in it."""

    recipe: Recipe
    model: str
    adapters: tuple[str, ...] = ()
    reference: str | None = None
    mask: str | None = None
    control: str | None = None
    control_image: str | None = None
    likeness: str | None = None
    likeness_image: str | None = None
    upscaler: str | None = None
    edit: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """One part of a recipe that is not what it was."""

    what: str
    old: Any
    new: Any
    words: str


def named(expansion: Expansion, number: int) -> Named:
    """The recipe of one render with the names of its files."""
    group_no, render = expansion.render(number)
    beside = expansion.beside(group_no)
    return Named(
        recipe=expansion.recipe(group_no, render),
        model=expansion.campaign.model,
        adapters=beside.adapter_paths,
        reference=render.shot.reference,
        mask=render.shot.mask,
        control=beside.control_path,
        control_image=render.shot.control_image,
        likeness=beside.likeness_path,
        likeness_image=render.shot.likeness_image,
        upscaler=beside.upscaler_path,
        edit=render.shot.edit,
    )


def changes(old: Named, new: Named) -> list[Change]:
    """Every part that differs, what a person looks for first at the beginning."""
    was, now = old.recipe.to_json(), new.recipe.to_json()
    found = [
        *_files(old, new, was, now),
        *_texts(was, now),
        *_settings(old.recipe.group, new.recipe.group, was, now),
    ]
    # Another model, a reference or a control brings another pipeline and another config with it:
    # only alone do they say something.
    alone = () if any(change.what in _BRING_A_PIPELINE for change in found) else _rest(was, now)
    return [*found, *alone] or list(_rest(was, now))


def cell_label(old: Mapping[str, Any] | None, new: Mapping[str, Any], seed: int) -> str:
    """A cell as a person reads it: its values, with the old one before each that is another, and
    its seed.
    """
    values = []
    for axis, value in new.items():
        text = _value(value)
        before = text if old is None or axis not in old else _value(old[axis])
        values.append(text if before == text else f"{before} -> {text}")
    return ", ".join([*values, f"seed {seed}"])


def _value(value: Any) -> str:
    parts = value.values() if isinstance(value, Mapping) else [value]
    return _cut(", ".join(str(part) or "none" for part in parts))


# --- the parts ---


def _files(old: Named, new: Named, was: Json, now: Json) -> Iterator[Change]:
    if was["model"] != now["model"]:
        yield _change(
            "model",
            was["model"],
            now["model"],
            *_told_apart(old.model, new.model, was["model"], now["model"]),
        )
    for what in FILES:
        if (before := was.get(what)) != (after := now.get(what)):
            names = _name(getattr(old, what)), _name(getattr(new, what))
            yield _change(what, before, after, *_told_apart(*names, before, after))
    beside = (("control", _control), ("likeness", _likeness), ("upscale", _upscale))
    for what, told in beside:
        if (before := was.get(what)) != (after := now.get(what)):
            digests = [side and side.get("digest") for side in (before, after)]
            yield _change(what, before, after, *_told_apart(told(old), told(new), *digests))
    if (before := was.get("edit")) != (after := now.get("edit")):
        digests = ["+".join(side or ()) for side in (before, after)]
        yield _change("edit", before, after, *_told_apart(_edit(old), _edit(new), *digests))
    adapters = (
        [asdict(adapter) for adapter in old.recipe.group.adapters],
        [asdict(adapter) for adapter in new.recipe.group.adapters],
    )
    if adapters[0] != adapters[1]:
        digests = ["+".join(adapter["digest"] for adapter in side) for side in adapters]
        yield _change(
            "adapters", *adapters, *_told_apart(_adapters(old), _adapters(new), *digests)
        )


def _texts(was: Json, now: Json) -> Iterator[Change]:
    for name in ("prompt", "negative"):
        if was[name] != now[name]:
            yield Change(
                what=name,
                old=was[name],
                new=now[name],
                words=f"{name}: {_text_words(was[name], now[name])}",
            )
    if was["seed"] != now["seed"]:
        yield _change("seed", was["seed"], now["seed"])


def _settings(old: Group, new: Group, was: Json, now: Json) -> Iterator[Change]:
    for name in ("steps", "guidance", *_OPTIONS, "scheduler", "strength"):
        if was.get(name) != now.get(name):
            yield _change(name, was.get(name), now.get(name))
    sizes = f"{old.width}x{old.height}", f"{new.width}x{new.height}"
    if sizes[0] != sizes[1]:
        yield _change("size", *sizes)
    for name in ("batch", "dtype"):
        if was[name] != now[name]:
            yield _change(name, was[name], now[name])


def _rest(was: Json, now: Json) -> Iterator[Change]:
    if was["pipeline"] != now["pipeline"]:
        yield _change("pipeline", was["pipeline"], now["pipeline"])
    before, after = was["scheduler_config"], now["scheduler_config"]
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield _change(f"scheduler's {name}", before.get(name), after.get(name))


# --- words ---


def _change(
    what: str, old: Any, new: Any, old_words: str | None = None, new_words: str | None = None
) -> Change:
    was, now = (
        _shown(value) if words is None else words
        for value, words in ((old, old_words), (new, new_words))
    )
    return Change(what=what, old=old, new=new, words=f"{what} {was} -> {now}")


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else _cut(str(value))


def _told_apart(
    old: str, new: str, old_digest: str | None, new_digest: str | None
) -> tuple[str, str]:
    """Two names, with the first digits of the digests if the names alone are equal."""
    if old != new:
        return _cut(old), _cut(new)
    return f"{_cut(old)} ({(old_digest or '')[:_DIGITS]})", f"({(new_digest or '')[:_DIGITS]})"


def _name(address: str | None) -> str:
    return "none" if address is None else PurePath(address).name or address


def _control(side: Named) -> str:
    control = side.recipe.group.control
    if control is None:
        return "none"
    until = "" if control.until == 1 else f" until {control.until:g}"
    kind = kind_of_mode(control.mode)
    return f"{_name(side.control)}{f' of {kind}' if kind else ''} at {control.scale:g}{until}"


def _likeness(side: Named) -> str:
    likeness = side.recipe.group.likeness
    if likeness is None:
        return "none"
    part = "" if likeness.of == "all" else f" of its {likeness.of}"
    return f"{_name(side.likeness)}{part} at {likeness.scale:g}"


def _upscale(side: Named) -> str:
    upscale = side.recipe.group.upscale
    return "none" if upscale is None else f"{_name(side.upscaler)} by {upscale.by}"


def _edit(side: Named) -> str:
    return " + ".join(map(_name, side.edit)) or "none"


def _adapters(side: Named) -> str:
    parts = zip(side.adapters, side.recipe.group.adapters, strict=True)
    return " + ".join(_adapter(path, adapter) for path, adapter in parts) or "none"


def _adapter(path: str, adapter: Adapter) -> str:
    return f"{PurePath(path).stem or path} at {adapter.scale:g}"


def _text_words(old: str, new: str) -> str:
    """The words of two texts between those that they begin and end with alike."""
    if not old or not new:
        return f"{_quoted(old)} -> {_quoted(new)}"
    was, now = old.split(), new.split()
    if was == now:
        return "other spaces"
    least = min(len(was), len(now))
    begin = next((k for k in range(least) if was[k] != now[k]), least)
    end = next((k for k in range(least - begin) if was[-1 - k] != now[-1 - k]), least - begin)
    gone, come = " ".join(was[begin : len(was) - end]), " ".join(now[begin : len(now) - end])
    if not gone:
        return f"with {_quoted(come)}"
    return f"without {_quoted(gone)}" if not come else f"{_quoted(gone)} -> {_quoted(come)}"


def _quoted(text: str) -> str:
    return f'"{_cut(text)}"' if text else "none"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
