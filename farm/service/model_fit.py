"""What one model of a family cannot do: sizes that it does not paint, and guidance that it needs,
or that changes nothing.
"""

from collections.abc import Iterator

from actors.models.traits import Traits
from actors.pictures.files import MAX_PIXELS
from farm.campaign.expansion import Expansion
from farm.campaign.settings import Settings, settings_of
from farm.documents.document import Problem

GROUPS_LOOKED_AT = 10_000
_LONGEST = 16_383  # pixels a side that WebP can hold


def wrong_size(size: tuple[int, int], expansion: Expansion, traits: Traits) -> str | None:
    """Why a model does not paint pictures of a size, or None if it does."""
    name = f"the model {expansion.model.name} ({expansion.family.name})"
    step, longest = traits.multiple_of, traits.longest_side
    if any(side % step for side in size):
        width, height = (
            min(max(step, round(side / step) * step), longest or side + step) for side in size
        )
        return (
            f"the sides of {size[0]}x{size[1]} must be multiples of {step} for {name}, like"
            f" {width}x{height}."
        )
    if longest is not None and max(size) > longest:
        return (
            f"{size[0]}x{size[1]} is too large for {name}, which paints up to {longest} pixels a"
            " side."
        )
    return None


def size_problems(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    """A size that the campaign does not name, if the model's own is none for it."""
    is_named = expansion.campaign.settings.size is not None or any(
        "size" in axis.variables for axis in expansion.axes
    )
    if not is_named and (why := wrong_size(expansion.model.size, expansion, traits)) is not None:
        yield Problem(
            ("settings",),
            f"the campaign names no size, and gets the family's own: {why} Name one as `size`.",
        )


def upscale_problems(expansion: Expansion) -> Iterator[Problem]:
    """Pictures that would be too large once they are made larger; the first is told. Of very many
    groups the first are looked at.
    """
    if expansion.campaign.upscale is None:
        return
    for group_no in range(min(expansion.groups, GROUPS_LOOKED_AT)):
        group, by = expansion.bare_group(group_no), expansion.settings(group_no).upscale_by or 1
        width, height = group.width * by, group.height * by
        if by > 1 and (width * height > MAX_PIXELS or max(width, height) > _LONGEST):
            yield Problem(
                ("upscale", "by"),
                f"{by} times {group.width}x{group.height} is {width}x{height}: pictures have up to"
                f" {MAX_PIXELS:,} pixels, and {_LONGEST:,} a side.",
            )
            return


def guidance_problems(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    """Guidance that a model needs and is not given, and values that paint the same pictures."""
    if traits.needs_guidance and _lacks_guidance(expansion):
        name = f"the model {expansion.model.name} ({expansion.family.name})"
        yield Problem(
            ("settings",),
            f"{name} paints only with a guidance that is named: add one, like `guidance: 4.0`.",
        )
    if (off := traits.guidance_off) is None:
        return
    for axis in expansion.axes:
        if axis.variables != {"guidance"}:
            continue
        values = [
            Settings.model_validate(settings_of(axis, index)).guidance
            for index in range(len(axis.values))
        ]
        without = [
            index for index, value in enumerate(values) if value is not None and value <= off
        ]
        for index in without[1:]:
            yield Problem(
                ("vary", axis.name, index),
                f"guidance {values[index]:g} paints the same pictures as {values[without[0]]:g}: "
                f"up to {off:g} this model paints without any. Keep one of them.",
            )


def _lacks_guidance(expansion: Expansion) -> bool:
    """Whether some renders name no guidance. Of very many groups the first are looked at."""
    return any(
        expansion.settings(group_no).guidance is None
        for group_no in range(min(expansion.groups, GROUPS_LOOKED_AT))
    )
