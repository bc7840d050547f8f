"""Whether the parts of a campaign fit together: every mistake is found before anything is written
or painted.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from farm.campaign.alternatives import with_alternatives
from farm.campaign.axes import Axis, AxisError, parse_axis
from farm.campaign.brand import Pack, parse_pack, with_brand
from farm.campaign.schema import Campaign, DerivedSeeds, fields_of, used_variables
from farm.campaign.seeding import DERIVATION, OWN, Seeding, own_place, own_seeds
from farm.campaign.settings import SETTINGS, Settings, settings_of
from farm.campaign.skip_values import SkipValues
from farm.campaign.skipping import Skipping, rule_seeds
from farm.campaign.sources import (
    ONLY_VARIED,
    Sources,
    measure_problems,
    step_problems,
)
from farm.campaign.stages import proof_problems
from farm.campaign.template import Template
from farm.campaign.texts import said, settled, text_problems
from farm.documents.document import Document, DocumentError, Problem, did_you_mean
from farm.documents.foreign_words import foreign_hint
from farm.problems import keys_of, problem_of


def parse_campaign(
    data: Mapping[str, Any], document: Document | None = None, pack: Pack | None = None
) -> Campaign:
    """Check a campaign's data, together with its brand's pack, and return it without that. A pack
    that stands in the data itself need not be given. Raises DocumentError with every problem
    found, each at its place in the document.
    """
    try:
        plain = {key: _with_plain_line_ends(value) for key, value in data.items()}
        campaign = Campaign.model_validate(with_alternatives(plain, document))
        if problems := list(_axis_problems(campaign.vary)):
            raise DocumentError(problems)
        campaign = settled(campaign)
        pack = pack or own_pack(campaign)
        merged = campaign if pack is None else with_brand(campaign, pack)
        if problems := _problems(merged, is_whole=campaign.brand is None or pack is not None):
            raise DocumentError(problems)
    except DocumentError as exc:
        raise DocumentError(exc.problems, document) from None
    except ValidationError as exc:
        raise DocumentError(
            [problem_of(error, _KEYS) for error in exc.errors()], document
        ) from None
    return campaign


def _with_plain_line_ends(value: Any) -> Any:
    """With a line feed for each line end, as which some systems write two characters."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, Mapping):
        return {key: _with_plain_line_ends(inner) for key, inner in value.items()}
    return (
        [_with_plain_line_ends(inner) for inner in value]
        if isinstance(value, list | tuple)
        else value
    )


def own_pack(campaign: Campaign) -> Pack | None:
    """The pack that stands in a campaign itself. Raises DocumentError if it cannot be used."""
    if not isinstance(campaign.brand, Mapping):
        return None
    try:
        return parse_pack(campaign.brand)
    except DocumentError as exc:
        within = [Problem(("brand", *problem.path), problem.message) for problem in exc.problems]
        raise DocumentError(within) from None


def _problems(campaign: Campaign, *, is_whole: bool) -> list[Problem]:
    """What does not fit together. Each later check reads what the one before found sound. A
    campaign is not whole if the texts of its brand are not known here.
    """
    problems = [
        *_variable_problems(campaign, is_whole=is_whole),
        *text_problems(campaign),
        *_empty_prompt_problems(campaign),
        *_setting_problems(campaign),
        *_source_problems(campaign),
        *_skip_problems(campaign),
        *_seed_problems(campaign),
        *_note_problems(campaign),
    ]
    return problems or [
        *step_problems(campaign.reference, campaign.axes, campaign.settings.steps),
        *proof_problems(campaign),
    ]


def _axis_problems(vary: Mapping[str, object]) -> Iterable[Problem]:
    for name, raw in vary.items():
        try:
            parse_axis(name, raw)
        except AxisError as exc:
            yield Problem(
                ("vary", name) if exc.index is None else ("vary", name, exc.index), str(exc)
            )


def _variable_problems(campaign: Campaign, *, is_whole: bool) -> Iterable[Problem]:
    owners: dict[str, str] = {}
    for axis in campaign.axes:
        for variable in axis.variables:
            if variable in owners:
                yield Problem(
                    ("vary", axis.name),
                    f"{variable!r} is set by the axis {owners[variable]!r} already: one of them"
                    " must go.",
                )
            owners[variable] = axis.name
    fields = {
        "prompt": Template(campaign.prompt).fields,
        "negative": Template(campaign.negative).fields,
    }
    for key, names in fields.items():
        for name in sorted(names - set(owners)) if is_whole else ():
            message = (
                f"the template has {{{name}}}, but no axis in `vary` sets it: add an axis {name!r}"
            )
            yield Problem(
                (key,), f"{message}, or {did_you_mean(name, owners)}" if owners else f"{message}."
            )
    used = used_variables(campaign)
    for axis in campaign.axes:
        if not axis.variables & used:
            needed = ", ".join(f"{{{name}}}" for name in sorted(axis.variables))
            yield Problem(
                ("vary", axis.name),
                f"the axis is never used: put {needed} into the prompt, or remove it "
                f"({foreign_hint(axis.name) or did_you_mean(axis.name, SETTINGS)})",
            )
            continue
        for variable in sorted(axis.variables - used - set(campaign.notes)):
            # A column that nothing uses is a note to oneself; one that another tool would obey, or
            # nearly a setting's name, is a slip.
            if hint := _slip(variable, used):
                yield Problem(
                    ("vary", axis.name),
                    f"nothing uses {variable!r}: {hint} If it is a note, write `notes:"
                    f" [{variable}]`.",
                )


def _empty_prompt_problems(campaign: Campaign) -> Iterable[Problem]:
    """Values of which nothing is left to paint, told if the template has no words of its own. What
    `skip` leaves is looked at later.
    """
    template = Template(campaign.prompt)
    if campaign.skip or template.fill(dict.fromkeys(template.fields, "")).strip():
        return
    varied = [axis for axis in campaign.axes if axis.variables & template.fields]
    empty = [
        [k for k in range(len(axis.values)) if _is_empty(campaign, axis, k, template.fields)]
        for axis in varied
    ]
    if varied and all(empty):
        yield Problem(
            ("vary", varied[-1].name, empty[-1][0]),
            "the prompt is empty here: write what should be painted.",
        )


def _is_empty(campaign: Campaign, axis: Axis, index: int, fields: Collection[str]) -> bool:
    return not any(
        said(value, campaign).strip()
        for name, value in axis.assignments(index).items()
        if name in fields
    )


def _slip(variable: str, used: Collection[str]) -> str | None:
    """What a column may be meant for that nothing uses."""
    if variable == "prompt":
        return 'to paint it, write `prompt: "{prompt}"`.'
    if hint := foreign_hint(variable):
        return f"{hint}."
    near = get_close_matches(variable, {*used, "negative"}, n=1, cutoff=0.75)
    return f"did you mean {near[0]!r}?" if near else None


def _setting_problems(campaign: Campaign) -> Iterable[Problem]:
    for axis in campaign.axes:
        if not axis.variables & SETTINGS:
            continue
        seen: dict[object, int] = {}
        for index in range(len(axis.values)):
            try:
                settings = Settings.model_validate(
                    {**campaign.settings.model_dump(), **settings_of(axis, index)}
                )
            except ValidationError as exc:
                yield Problem(
                    ("vary", axis.name, index), problem_of(exc.errors()[0], _KEYS).message
                )
                continue
            first = seen.setdefault(settings, index)
            if first != index and axis.variables <= SETTINGS:
                yield Problem(("vary", axis.name, index), _twice(axis, first, index))


def _twice(axis: Axis, first: int, index: int) -> str:
    """Two values may be written in two ways, and set the same."""
    earlier, later = axis.label(first), axis.label(index)
    as_written = "" if earlier == later else f" as {earlier}"
    return (
        f"the value {later} stands twice in the axis (first at {first}{as_written}): remove one."
    )


def _source_problems(campaign: Campaign) -> Iterable[Problem]:
    for name, written in ONLY_VARIED.items():
        if getattr(campaign.settings, name) is not None:
            yield Problem(
                ("settings", name),
                f"only an axis sets {name!r} alone; for all renders it is written `{written}`.",
            )
    yield from measure_problems(
        campaign.reference,
        campaign.axes,
        campaign.control,
        campaign.edit,
        campaign.likeness,
        campaign.upscale,
    )


def _skip_problems(campaign: Campaign) -> Iterable[Problem]:
    if not campaign.skip:
        return ()
    seeds, values = rule_seeds(campaign, campaign.axes, DERIVATION), SkipValues(campaign.axes)
    problems = [
        problem
        for k, rule in enumerate(campaign.skip)
        for problem in _rule_problems(k, rule, values, has_seed=k in seeds)
    ]
    is_same = own_place(campaign, campaign.axes) is None and not (
        isinstance(campaign.seeds, DerivedSeeds) and campaign.seeds.per
    )
    if (
        seeds and is_same and not problems
        # else what seeds there are depends on how the version that stored the campaign derived
        # them
    ):
        return Skipping(
            campaign,
            campaign.axes,
            Seeding(campaign, campaign.axes, Sources(), DERIVATION),
            DERIVATION,
        ).problems()
    return problems


def _rule_problems(
    k: int, rule: Mapping[str, Any], values: SkipValues, *, has_seed: bool
) -> Iterable[Problem]:
    if not rule:
        yield Problem(
            ("skip", k), "the rule is empty and would skip everything: name what it skips."
        )
    for variable, value in rule.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            yield Problem(
                ("skip", k, variable),
                "a rule names one text or number of an axis; put words like true in quotes.",
            )
        elif variable == OWN and has_seed:
            continue
        elif variable not in values.variables:
            yield Problem(
                ("skip", k, variable),
                f"no axis sets {variable!r}: {did_you_mean(variable, {*values.variables, OWN})}",
            )
        elif not values.meant(variable, value):
            hint = did_you_mean(str(value), values.texts(variable))
            yield Problem(
                ("skip", k, variable), f"{value!r} is not a value of {variable!r}: {hint}"
            )


def _seed_problems(campaign: Campaign) -> Iterable[Problem]:
    yield from _own_seed_problems(campaign)
    if not isinstance(campaign.seeds, DerivedSeeds):
        return
    names = {axis.name for axis in campaign.axes} | {
        variable for axis in campaign.axes for variable in axis.variables
    }
    for k, name in enumerate(campaign.seeds.per):
        if name == OWN:
            yield Problem(
                ("seeds", "per", k),
                "the column `seed` has seeds itself: none are derived from it.",
            )
        elif name not in names:
            yield Problem(
                ("seeds", "per", k),
                f"there is no axis or column {name!r}: {did_you_mean(name, names)}",
            )
    if len(set(campaign.seeds.per)) < len(campaign.seeds.per):
        yield Problem(("seeds", "per"), "an axis stands twice: remove one.")


def _own_seed_problems(campaign: Campaign) -> Iterable[Problem]:
    """Seeds in the rows of an axis."""
    for axis in campaign.axes:
        if axis.variables == {OWN} and OWN not in fields_of(campaign):
            yield Problem(
                ("vary", axis.name),
                "seeds are no axis of their own: write `seeds: [11, 12]`, or a column beside"
                " others.",
            )
    place = own_place(campaign, campaign.axes)
    if place is None:
        return
    axis = campaign.axes[place]
    for index in range(len(axis.values)):
        try:
            own_seeds(axis.assignments(index)[OWN])
        except ValueError as exc:
            yield Problem(
                ("vary", axis.name, index), f"{exc} If the column is a note, give it another name."
            )


def _note_problems(campaign: Campaign) -> Iterable[Problem]:
    columns = {variable for axis in campaign.axes for variable in axis.variables}
    used = used_variables(campaign)
    for k, name in enumerate(campaign.notes):
        if name not in columns:
            yield Problem(
                ("notes", k), f"no axis has a column {name!r}: {did_you_mean(name, columns)}"
            )
        elif name in used:
            yield Problem(
                ("notes", k),
                f"{name!r} is not a note, it decides what is painted: take it out of `notes`, or"
                " rename the column.",
            )


_KEYS = keys_of(Campaign)
