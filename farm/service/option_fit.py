"""Settings that only some models and schedulers take: refused for the others, if they would change
nothing or could not be painted.
"""

from collections.abc import Iterator
from dataclasses import asdict

from actors.models.families import family_of, is_known
from actors.models.source import source_of
from actors.models.spacings import snr_refusal, spacing_refusal, takes_eta
from actors.models.traits import Traits
from actors.recipes.recipe import Group, canonical_json
from farm.campaign.expansion import Expansion
from farm.campaign.settings import OPTIONS, Settings
from farm.campaign.sources import NONE
from farm.documents.document import Problem
from farm.documents.parsed import Path_

GROUPS_LOOKED_AT = 10_000


def option_problems(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    """The mistakes in the options of a campaign's renders, each said once at its place. Of very
    many groups the first are looked at.
    """
    told: set[tuple[Path_, str]] = set()
    painted: dict[str, int] = {}
    for group_no in range(min(expansion.groups, GROUPS_LOOKED_AT)):
        if next(expansion.numbers(group_no), None) is None:
            continue
        settings, group = expansion.settings(group_no), expansion.bare_group(group_no)
        for name, why in _refusals(settings, group, expansion, traits):
            path = _place_of(expansion, group_no, name)
            if (path, why) not in told:
                told.add((path, why))
                yield Problem(path, why)
        yield from _twins(expansion, group_no, painted)


def _refusals(
    settings: Settings, group: Group, expansion: Expansion, traits: Traits
) -> Iterator[tuple[str, str]]:
    """The options of a group that its model or scheduler does not take, and why."""
    yield from _scheduler_refusals(settings, group, expansion)
    yield from _tile_refusal(settings, group)
    for name in ("clip_skip", "guidance_rescale"):
        if getattr(settings, name) and not _takes(group, name):
            yield name, f"a {group.pipeline} takes no {name!r}: remove it."
        elif name == "guidance_rescale" and settings.guidance_rescale:
            off = traits.guidance_off
            if off is None or group.guidance is None or group.guidance <= off:
                yield (
                    name,
                    "there is no guidance to rescale: raise `guidance` above 1, or remove it.",
                )


def _tile_refusal(settings: Settings, group: Group) -> Iterator[tuple[str, str]]:
    tile, family = settings.vae_tile, family_of(group.pipeline)
    if tile and (family is None or not is_known(family)):
        yield "vae_tile", f"a {group.pipeline} takes no 'vae_tile': remove it."
    elif tile and max(group.width, group.height) <= tile:
        yield (
            "vae_tile",
            (
                f"a picture of {group.width}x{group.height} pixels is one tile of {tile}: name"
                " fewer pixels, or remove it."
            ),
        )


def _scheduler_refusals(
    settings: Settings, group: Group, expansion: Expansion
) -> Iterator[tuple[str, str]]:
    name, config = group.scheduler, group.scheduler_config
    if settings.spacing is not None and (why := spacing_refusal(config)) is not None:
        yield "spacing", f"a spacing changes nothing with {name!r}: {why}. Remove it."
    if settings.terminal_snr is not None and (why := snr_refusal(config)) is not None:
        yield "terminal_snr", f"`terminal_snr: zero` cannot be had with {name!r}: {why}."
    if settings.eta and not (takes_eta(config) and _takes(group, "eta")):
        yield (
            "eta",
            (
                f"{name!r} draws no new noise by `eta`: remove it, or take the scheduler 'ddim' or"
                " 'tcd' with a model that has it."
            ),
        )
    if settings.reference_mask not in (None, NONE):
        if expansion.family.inpaint is None:
            yield (
                "reference_mask",
                f"{expansion.family.name} paints no part of a picture anew: remove it.",
            )
        elif group.strength is None:
            yield (
                "reference_mask",
                "a mask is that of a reference, and here is none: remove one of them.",
            )
    usable = expansion.family.from_reference
    if group.strength is not None and usable is not None and name not in usable:
        kinds = " or ".join(repr(one) for one in usable)
        yield (
            "scheduler",
            (
                f"{expansion.family.name} cannot begin from a reference with {name!r}: take"
                f" {kinds}, or no reference."
            ),
        )


def _takes(group: Group, option: str) -> bool:
    """Whether the call of a group's pipeline has an option. Plain calls are not told of any."""
    family, source = family_of(group.pipeline), source_of(group.pipeline)
    call = source.call if source else None
    return family is not None and is_known(family) and option in (call or {})


def _place_of(expansion: Expansion, group_no: int, name: str) -> Path_:
    """The place in the file that sets an option of a group."""
    for axis, index in zip(expansion.axes, expansion.first_cell(group_no), strict=True):
        if name in axis.variables:
            return ("vary", axis.name, index)
    return ("reference", "mask") if name == "reference_mask" else ("settings", name)


def _twins(expansion: Expansion, group_no: int, painted: dict[str, int]) -> Iterator[Problem]:
    """Two values of an option that paint the same: what the model's own config says already, or a
    0 and nothing.
    """
    axis = next((axis for axis in expansion.axes if axis.variables <= set(OPTIONS)), None)
    if axis is None:
        return
    cell = expansion.first_cell(group_no)
    place = expansion.axes.index(axis)
    others = [*cell[:place], *cell[place + 1 :]]
    key = canonical_json([asdict(expansion.bare_group(group_no)), others])
    first = painted.setdefault(key, cell[place])
    if first != cell[place]:
        yield Problem(
            ("vary", axis.name, cell[place]),
            f"it paints the same pictures as the value {first} of the axis: remove one of them.",
        )
