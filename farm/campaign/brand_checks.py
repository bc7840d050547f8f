"""What a campaign does that its brand does not allow: every violation, each at its place in the
campaign's file.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from farm.campaign.axes import Axis
from farm.campaign.banned import Banned
from farm.campaign.brand import Pack
from farm.campaign.expansion import Expansion
from farm.campaign.named_files import named_files
from farm.campaign.schema import Campaign
from farm.campaign.settings import settings_of
from farm.campaign.template import Template
from farm.campaign.texts import filled, place
from farm.documents.document import Problem
from farm.documents.parsed import Path_

MAX_COMBINED = 50_000
"""Combinations of values that are looked at for phrases which begin in one and end in another."""
_DIGEST = 12  # hex digits: the fewest that name a file


def violations(expansion: Expansion, pack: Pack, written: Campaign) -> list[Problem]:
    """All violations of a campaign that a pack is merged into; `written` is the campaign without
    it.
    """
    return [
        *_text_names(expansion.axes, pack),
        *_models(expansion, pack),
        *_locked(written, pack),
        *_sizes(expansion, written, pack),
        *_schedulers(expansion, written, pack),
        *_adapters(expansion, pack),
        *_controls(expansion, pack),
        *_banned(expansion, pack.banned_words),
    ]


def banned_in(expansion: Expansion, prompt: str) -> str | None:
    """Why the brand of a campaign does not allow a prompt that one of its renders is given."""
    brand = expansion.brand
    found = brand.contents.banned_words.find(prompt) if brand else []
    return _stands(found) if found else None


def _text_names(axes: Iterable[Axis], pack: Pack) -> Iterator[Problem]:
    for axis in axes:
        for name in sorted(axis.variables & pack.texts.keys()):
            yield Problem(
                ("vary", axis.name),
                f"{name!r} is a text of the brand {pack.name}: give the axis or column another"
                " name.",
            )


def _models(expansion: Expansion, pack: Pack) -> Iterator[Problem]:
    model = expansion.campaign.model
    if pack.models is not None and not _is_listed(model, expansion.model.digest, pack.models):
        yield Problem(
            ("model",),
            f"the brand {pack.name} does not allow the model {model}"
            f" ({expansion.model.digest[:_DIGEST]}): {_allowed(pack.models)}",
        )


def _adapters(expansion: Expansion, pack: Pack) -> Iterator[Problem]:
    if pack.adapters is None:
        return
    for file in named_files(expansion.campaign):
        digest = expansion.sources.adapters.get(file.address, "")
        names = _names(expansion, file.address)
        if file.kind == "lora" and not any(
            _is_listed(name, digest, pack.adapters) for name in names
        ):
            yield Problem(
                file.path,
                f"the brand {pack.name} does not allow the adapter {file.address}"
                f" ({digest[:_DIGEST]}): {_allowed(pack.adapters)}",
            )


def _controls(expansion: Expansion, pack: Pack) -> Iterator[Problem]:
    campaign, sources, listed = expansion.campaign, expansion.sources, pack.controls
    if listed is None:
        return
    for key, given, digests, kind in (
        ("control", campaign.control, sources.controls, "ControlNet"),
        ("likeness", campaign.likeness, sources.ip_adapters, "IP-Adapter"),
    ):
        if given is None:
            continue
        digest = digests.get(given.model, "")
        names = _names(expansion, given.model)
        if not any(_is_listed(name, digest, listed) for name in names):
            yield Problem(
                (key, "model"),
                f"the brand {pack.name} does not allow the {kind} {given.model}"
                f" ({digest[:_DIGEST]}): {_allowed(listed)}",
            )


def _names(expansion: Expansion, address: str) -> set[str]:
    """What a pack may call the file or folder at an address."""
    label = expansion.sources.labels.get(address)  # else an @ is part of a path
    return {address} if label is None else {address, label, label.partition("@")[0]}


def _is_listed(name: str, digest: str, listed: Iterable[str]) -> bool:
    """Whether a list has a file, by its name or by at least twelve digits of its digest."""
    return any(
        entry == name
        or (len(entry) >= _DIGEST and digest.startswith(entry.removeprefix("sha256:").lower()))
        for entry in listed
    )


def _allowed(listed: Iterable[str]) -> str:
    names = ", ".join(listed)
    return f"allowed are {names}." if names else "it allows none."


# --- settings ---


def _locked(written: Campaign, pack: Pack) -> Iterator[Problem]:
    wanted = {name: pack.defaults[name] for name in pack.locked}
    given = written.settings
    for name in sorted(wanted.keys() & given.model_fields_set):
        if getattr(given, name) != wanted[name]:
            yield Problem(("settings", name), _is_locked(pack, name, getattr(given, name)))
    for path, values in _varied(written.axes):
        for name in sorted(wanted.keys() & values.keys()):
            if _plain(values[name]) != _plain(wanted[name]):
                yield Problem((*path, name), _is_locked(pack, name, values[name]))


def _is_locked(pack: Pack, name: str, value: object) -> str:
    return (
        f"the brand {pack.name} locks {name} at {_plain(pack.defaults[name])}, and this is"
        f" {_plain(value)}: remove it."
    )


def _sizes(expansion: Expansion, written: Campaign, pack: Pack) -> Iterator[Problem]:
    if pack.sizes is not None:
        own = expansion.campaign.settings.size or expansion.model.size
        allowed = [_plain(size) for size in pack.sizes]
        yield from _unlisted(pack, written, "size", _plain(own), allowed)


def _schedulers(expansion: Expansion, written: Campaign, pack: Pack) -> Iterator[Problem]:
    if pack.schedulers is not None:
        own = expansion.campaign.settings.scheduler or expansion.schedulers[0]
        yield from _unlisted(pack, written, "scheduler", own, list(pack.schedulers))


def _unlisted(
    pack: Pack, written: Campaign, name: str, own: str, allowed: list[str]
) -> Iterator[Problem]:
    """Values of a setting that are not allowed: `own`, which all renders have if no axis sets
    another, and those of axes.
    """
    varied = [
        (path, _plain(values[name])) for path, values in _varied(written.axes) if name in values
    ]
    is_used = not any(name in axis.variables for axis in written.axes) or any(
        axis.assignments(k)[name] == ""
        for axis in written.axes
        if name in axis.variables
        for k in range(len(axis.values))
    )
    places: list[tuple[Path_, str]] = [(("settings", name), own)] if is_used else []
    for path, value in [*places, *((((*path, name)), value) for path, value in varied)]:
        if value not in allowed:
            yield Problem(
                path,
                f"the brand {pack.name} does not allow the {name} {value}: allowed are"
                f" {', '.join(allowed)}.",
            )


def _varied(axes: Iterable[Axis]) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """The settings that each value of each axis chooses."""
    for axis in axes:
        for index in range(len(axis.values)):
            if chosen := settings_of(axis, index):
                yield ("vary", axis.name, index), chosen


def _plain(value: Any) -> str:
    """A setting as text: equal values have equal ones."""
    if isinstance(value, list | tuple):
        return "x".join(map(str, value))
    return f"{float(value):g}" if isinstance(value, int | float) else str(value).lower()


# --- words ---


def _banned(expansion: Expansion, banned: Banned) -> Iterator[Problem]:
    """Banned phrases in the prompt's template, in each value that it takes, and in the prompts
    that they make together.
    """
    template = Template(expansion.campaign.prompt)
    of_template = banned.find("\n".join(before for before, _ in template.parts))
    if of_template:
        yield Problem(("prompt",), _stands(of_template))
    axes = [axis for axis in expansion.axes if axis.variables & template.fields]
    for axis in axes:
        for index in range(len(axis.values)):
            values = axis.assignments(index)
            for name in sorted(axis.variables & template.fields):
                if found := banned.find(str(values[name])):
                    yield Problem(place(axis, index, name), _stands(found))
    if banned.phrases and axes:
        yield from _spanning(expansion, banned, template, axes)


def _spanning(
    expansion: Expansion, banned: Banned, template: Template, axes: list[Axis]
) -> Iterator[Problem]:
    """Phrases that no part of a prompt has alone: they begin in one, and end in another."""
    classes = [_essences(axis, template, banned) for axis in axes]
    if prod(map(len, classes)) > MAX_COMBINED:
        yield Problem(
            ("prompt",),
            f"the values make more than {MAX_COMBINED:,} prompts that could have banned words:"
            " split the campaign.",
        )
        return
    of_template = banned.find("\n".join(before for before, _ in template.parts))
    for cell in product(*(one.items() for one in classes)):
        values = {name: text for essence, _ in cell for name, text in essence}
        alone = set(of_template).union(*map(banned.find, values.values()))
        found = [
            phrase
            for phrase in banned.find(filled(template, values, expansion.campaign))
            if phrase not in alone
        ]
        if found:
            chosen = [(axis, index) for axis, (_, index) in zip(axes, cell, strict=True)]
            where = ", ".join(f"{axis.name}={axis.label(index)}" for axis, index in chosen)
            yield Problem(("prompt",), f"{_stands(found)} It is put together by {where}.")


def _essences(
    axis: Axis, template: Template, banned: Banned
) -> dict[tuple[tuple[str, str], ...], int]:
    """The values of an axis as far as they can be a part of a banned phrase, each with the index
    of the first that has it.
    """
    names = sorted(axis.variables & template.fields)
    found: dict[tuple[tuple[str, str], ...], int] = {}
    for index in range(len(axis.values)):
        values = axis.assignments(index)
        found.setdefault(tuple((name, banned.essence(str(values[name]))) for name in names), index)
    return found


def _stands(phrases: Iterable[str]) -> str:
    names = ", ".join(map(repr, phrases))
    return f"the brand bans {names}, which stands here: write something else."
