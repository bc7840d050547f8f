"""Whether a campaign fits its model: what the model's family does not have is refused, not
ignored.
"""

from collections.abc import Iterator
from pathlib import Path

from actors.models.folders import facts_of
from actors.models.scheduler_limits import refusal
from actors.models.traits import Traits, traits_of
from farm.campaign.expansion import Expansion
from farm.campaign.named_files import named_files
from farm.campaign.settings import SETTINGS, Settings, settings_of
from farm.documents.document import DocumentError, Problem
from farm.documents.foreign_words import scheduler_hint
from farm.documents.parsed import Path_
from farm.service.edit_fit import edit_problems
from farm.service.model_fit import guidance_problems, size_problems, upscale_problems, wrong_size
from farm.service.option_fit import option_problems

GROUPS_LOOKED_AT = 10_000


def check_fit(expansion: Expansion) -> None:
    """Raise DocumentError where the campaign asks for what the model's family cannot give, each at
    its place.
    """
    traits = campaign_traits(expansion)
    problems = [
        *_negative_problems(expansion, traits),
        *_preview_problems(expansion),
        *_adapter_problems(expansion),
        *edit_problems(expansion),
    ]
    for path, settings in _choices(expansion):
        misfits = _misfits(settings, expansion, traits)
        problems += [
            Problem((*path, name) if path == ("settings",) else path, text)
            for name, text in misfits
        ]
    problems += guidance_problems(expansion, traits)
    problems = problems or [
        *size_problems(expansion, traits),
        *upscale_problems(expansion),
        *option_problems(expansion, traits),
        *_step_problems(expansion, traits),
    ]
    if problems:
        raise DocumentError(problems)


def campaign_traits(expansion: Expansion) -> Traits:
    """What a campaign's model takes."""
    model = expansion.model
    return traits_of(expansion.family, facts_of(model.name, Path(model.folder)))


def _step_problems(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    """Steps that a scheduler cannot make with the model, once for each pair. Of very many groups
    the first are looked at.
    """
    seen: set[tuple[str, int, str]] = set()
    for group_no in range(min(expansion.groups, GROUPS_LOOKED_AT)):
        settings = expansion.settings(group_no)
        name, config = expansion.scheduler_of(settings)
        if (name, settings.steps, settings.dtype) in seen or next(
            expansion.numbers(group_no), None
        ) is None:
            continue
        seen.add((name, settings.steps, settings.dtype))
        if traits.steps not in (None, settings.steps):
            own = (
                f"the model {expansion.model.name} has a schedule of its own, and makes"
                f" {traits.steps} steps whatever it is told"
            )
            yield Problem(_place_of(expansion, group_no), f"{own}: write `steps: {traits.steps}`.")
        elif (why := refusal(config, settings.steps, settings.dtype)) is not None:
            steps = "1 step" if settings.steps == 1 else f"{settings.steps} steps"
            yield Problem(
                _place_of(expansion, group_no),
                f"{name} cannot make {steps} with this model: {why}.",
            )


def _place_of(expansion: Expansion, group_no: int) -> Path_:
    """The place in the file that sets a group's number of steps, or else its scheduler."""
    for name in ("steps", "scheduler"):
        for axis, index in zip(expansion.axes, expansion.first_cell(group_no), strict=True):
            if name in axis.variables:
                return ("vary", axis.name, index)
    return ("settings",)


def _choices(expansion: Expansion) -> Iterator[tuple[Path_, Settings]]:
    """The settings that the file names: those of all renders, then each value of an axis that
    varies some.
    """
    campaign = expansion.campaign
    yield ("settings",), campaign.settings
    for axis in campaign.axes:
        for index in range(len(axis.values)) if axis.variables & SETTINGS else ():
            yield ("vary", axis.name, index), Settings.model_validate(settings_of(axis, index))


def _misfits(
    settings: Settings, expansion: Expansion, traits: Traits
) -> Iterator[tuple[str, str]]:
    """The names of settings that do not fit, and why."""
    model, family = expansion.model, expansion.family
    if settings.guidance is not None and not traits.has_guidance:
        yield "guidance", f"the model {model.name} ({family.name}) has no guidance: remove it."
    if settings.scheduler is not None and settings.scheduler not in expansion.schedulers:
        yield "scheduler", _no_scheduler(settings.scheduler, expansion)
    if (
        isinstance(settings.batch, int)
        and family.max_batch is not None
        and settings.batch > family.max_batch
    ):
        yield (
            "batch",
            (
                f"a {family.pipeline} is painted through its plain call, one picture at a time:"
                f" remove it, or make it {family.max_batch}."
            ),
        )
    if (
        settings.size is not None
        and (why := wrong_size(settings.size, expansion, traits)) is not None
    ):
        yield "size", why


def _no_scheduler(name: str, expansion: Expansion) -> str:
    family, usable = expansion.family, expansion.schedulers
    if name in family.schedulers:  # but not for a model of another kind of noise
        own = expansion.model.scheduler_config.get("_class_name")
        return (
            f"the model {expansion.model.name} was trained for {own}, not for {name!r}:"
            f" {scheduler_hint(name, usable)}"
        )
    if len(usable) == 1:
        return f"{family.name} is not painted with {name!r}, but with {usable[0]!r} alone."
    return f"{family.name} is not painted with {name!r}: {scheduler_hint(name, usable)}"


def _negative_problems(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    if expansion.campaign.negative and not traits.has_negative:
        by_axis = [axis for axis in expansion.axes if "negative" in axis.variables]
        is_varied = (
            bool(by_axis) and expansion.campaign.negative == "{negative}"
        )  # as such an axis is stored
        why = ", which would change nothing" if expansion.family.has_negative else ""
        yield Problem(
            ("vary", by_axis[0].name) if is_varied else ("negative",),
            f"the model {expansion.model.name} ({expansion.family.name}) takes no negative"
            f" prompt{why}: remove it.",
        )


def _preview_problems(expansion: Expansion) -> Iterator[Problem]:
    previews = expansion.campaign.previews
    if previews is None:
        return
    if not expansion.family.has_previews:
        yield Problem(
            ("previews",),
            f"a {expansion.family.pipeline} is painted through its plain call, without previews:"
            " remove them.",
        )
        return
    most = max(
        expansion.bare_group(k).steps_made for k in range(min(expansion.groups, GROUPS_LOOKED_AT))
    )
    if previews.kept.steps(most) or expansion.groups > GROUPS_LOOKED_AT:
        return
    can_have = most > 1 and previews.every is not None
    where = f"at step {previews.every}" if can_have or previews.every else "at any other"
    yield Problem(
        ("previews", "every" if previews.every else "at"),
        f"no picture makes more than {most} {'step' if most == 1 else 'steps'}, and the last"
        f" one is the picture itself, so there is no preview {where}:"
        f" {f'make it {most - 1} or less, or remove' if can_have else 'remove'} `previews`.",
    )


def _adapter_problems(expansion: Expansion) -> Iterator[Problem]:
    campaign = expansion.campaign
    first = next(
        (file for file in named_files(campaign) if file.kind == "lora"),
        None,
    )
    if first is not None and not expansion.family.takes_adapters:
        yield Problem(
            first.path,
            f"the model {expansion.model.name} ({expansion.family.name}) takes no adapters: remove"
            " them.",
        )
