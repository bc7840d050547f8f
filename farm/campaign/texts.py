"""The texts that a campaign paints: what a submission makes of them, and what of other tools'
syntax is in them.

A submission settles these things once, and what is stored says how, so that no later version reads
a stored campaign otherwise:

1. `syntax` is `plain`, unless the file says `literal`. Campaigns of before have neither, and are
   read as they stand.
2. The templates begin and end with their words.
3. An axis that sets `negative` stands for the negative prompt, if no template has a field of that
   name and `notes` does not name it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from farm.campaign.axes import Axis, Scalar
from farm.campaign.schema import MAX_PROMPT, Campaign
from farm.campaign.sources import NONE
from farm.campaign.syntax import (
    FIELD,
    Syntax,
    find_other_syntax,
    find_parentheses,
    find_syntax,
    may_hold_syntax,
)
from farm.campaign.template import Template
from farm.documents.document import Problem
from farm.documents.parsed import Path_

PLAIN = "plain"
LITERAL = "literal"
_MANY = 1000
_VARIED = "{negative}"
"""The negative template of a campaign in which an axis sets it."""


def settled(campaign: Campaign) -> Campaign:
    """A campaign as its submission is stored. To settle it again changes nothing."""
    changes: dict[str, Any] = {
        "syntax": campaign.syntax or PLAIN,
        "prompt": campaign.prompt.strip(),
        "negative": campaign.negative.strip(),
    }
    fields = Template(campaign.prompt).fields | Template(campaign.negative).fields
    if "negative" not in {*fields, *campaign.notes} and any(
        "negative" in axis.variables for axis in campaign.axes
    ):
        changes["negative"] = _VARIED
    return campaign.model_copy(update=changes)


def filled(template: Template, values: Mapping[str, object], campaign: Campaign) -> str:
    """What a template says with these values. Read plainly, it begins and ends with a word; else
    every character stands.
    """
    text = template.fill({name: said(values[name], campaign) for name in template.fields})
    return text.strip() if campaign.syntax == PLAIN else text


def said(value: object, campaign: Campaign) -> str:
    """What a value is in a prompt. Read plainly, `none` is nothing."""
    return "" if value == NONE and campaign.syntax == PLAIN else str(value)


def text_problems(campaign: Campaign) -> Iterator[Problem]:
    """The mistakes in a campaign's prompts and negatives, above all syntax of other tools. Each is
    at the value that has it, or at the template.
    """
    if not campaign.prompt:
        yield Problem(("prompt",), "the prompt is empty: write what should be painted.")
    if campaign.syntax == LITERAL:
        return
    if problems := [*_length_problems(campaign), *_repeated_value_problems(campaign)]:
        yield from problems
        return
    find = find_other_syntax if campaign.emphasis == LITERAL else find_syntax
    told: set[tuple[Path_, str]] = set()
    for key in ("prompt", "negative"):
        text = _Text(key, Template(getattr(campaign, key)), campaign.axes, find)
        for found in (*text.dollars(), *text.syntax()):
            if (found.path, found.kind) not in told:
                told.add((found.path, found.kind))
                yield Problem(found.path, found.message)
            if len(told) >= _MANY:
                return


def overruled(data: Mapping[str, Any], campaign: Campaign) -> Iterator[Problem]:
    """A negative prompt that no render has, as an axis sets it. `data` is the campaign's as it was
    written.
    """
    own = data.get("negative")
    if campaign.negative == _VARIED and isinstance(own, str) and own.strip() not in ("", _VARIED):
        axis = next(axis for axis in campaign.axes if "negative" in axis.variables)
        message = (
            f"nothing uses this text, for the axis {axis.name!r} sets the negative prompt: write"
            f" {_VARIED} into it to have both."
        )
        yield Problem(("negative",), message)


def text_warnings(campaign: Campaign, *, is_known: bool) -> Iterator[Problem]:
    """Words in parentheses that stand alone, which other tools read as an emphasis. `is_known`:
    whether an earlier version took the campaign, and reads `none` as a word.
    """
    if campaign.syntax == LITERAL:
        return
    told: set[Path_] = set()
    for key in ("prompt", "negative") if campaign.emphasis != LITERAL else ():
        for found in _Text(
            key, Template(getattr(campaign, key)), campaign.axes, find_parentheses
        ).syntax():
            if found.path not in told and len(told) < _MANY:
                told.add(found.path)
                yield Problem(found.path, found.message)
    for axis, names in _text_axes(campaign) if is_known else ():
        for name in names:
            index = next(
                (
                    index
                    for index in range(len(axis.values))
                    if axis.assignments(index)[name] == NONE
                ),
                None,
            )
            if index is not None:
                message = (
                    "an earlier version took this campaign, in which `none` stays a word: for"
                    " nothing, give it another name."
                )
                yield Problem(place(axis, index, name), message)


def _length_problems(campaign: Campaign) -> Iterator[Problem]:
    for axis, names in _text_axes(campaign):
        for index in range(len(axis.values)):
            for name in names:
                length = len(str(axis.assignments(index)[name]))
                if length > MAX_PROMPT:
                    yield Problem(
                        place(axis, index, name),
                        f"the text has {length:,} characters; at most {MAX_PROMPT:,} are"
                        " supported.",
                    )


def _repeated_value_problems(campaign: Campaign) -> Iterator[Problem]:
    """Values that are nothing, written in two ways: both would paint the same."""
    for axis, names in _text_axes(campaign):
        seen: dict[tuple[Any, ...], int] = {}
        for index in range(len(axis.values)):
            values = axis.assignments(index)
            if not any(values[name] in ("", NONE) for name in names):
                continue
            read = tuple(
                (name, "" if name in names and value == NONE else value)
                for name, value in sorted(values.items())
            )
            first = seen.setdefault(read, index)
            if first != index:
                message = (
                    f"`none` and an empty text are both nothing (first at {first}): remove one of"
                    " them."
                )
                yield Problem(("vary", axis.name, index), message)


def _text_axes(campaign: Campaign) -> Iterator[tuple[Axis, frozenset[str]]]:
    """The axes that templates use, each with the variables that they do."""
    fields = Template(campaign.prompt).fields | Template(campaign.negative).fields
    return ((axis, axis.variables & fields) for axis in campaign.axes if axis.variables & fields)


def place(axis: Axis, index: int, variable: str) -> Path_:
    """Where a campaign has one variable of one of an axis' values."""
    here = ("vary", axis.name, index)
    return (*here, variable) if isinstance(axis.values[index], Mapping) else here


@dataclass(frozen=True)
class _Found:
    """Syntax of another tool, at its place."""

    path: Path_
    kind: str
    message: str


@dataclass(frozen=True)
class _Text:
    """One of a campaign's templates with the values that it takes."""

    key: str
    template: Template
    axes: Iterable[Axis]
    find: Callable[[str], list[Syntax]] = find_syntax

    def syntax(self) -> Iterator[_Found]:
        """All syntax of other tools, as far as `find` finds it. Each value is read where the
        template has it, with the first value of all other axes: syntax may begin in one and end in
        another.
        """
        everywhere = {
            name: place(axis, 0, name) for axis in self._varied for name in axis.variables
        }
        yield from self._read(self._first, everywhere)
        is_marked = may_hold_syntax(
            "\0".join(
                [before for before, _ in self.template.parts]
                + [str(text) for text in self._first.values()]
            )
        )
        for axis in self._varied:
            names = axis.variables & self.template.fields
            shapes: set[tuple[str, ...]] = set()
            for index in range(1, len(axis.values)):
                values = axis.assignments(index)
                texts = [str(values[name]) for name in names]
                if not any(map(may_hold_syntax, texts)):
                    shape = tuple(map(_shape, texts))
                    if not is_marked or shape in shapes:
                        continue
                    shapes.add(shape)
                yield from self._read(
                    {**self._first, **values}, {name: place(axis, index, name) for name in names}
                )

    @cached_property
    def _varied(self) -> list[Axis]:
        return [axis for axis in self.axes if axis.variables & self.template.fields]

    @cached_property
    def _first(self) -> dict[str, Scalar]:
        """The first value of each field. A field that no axis sets is a mistake of another kind,
        and any word serves.
        """
        values: dict[str, Scalar] = {
            name: value for axis in self._varied for name, value in axis.assignments(0).items()
        }
        return {name: values.get(name, "x") for name in self.template.fields}

    def _read(self, values: Mapping[str, Scalar], places: Mapping[str, Path_]) -> Iterator[_Found]:
        """The syntax of the template with these values, but not that of a value that is not in
        `places`.
        """
        text, spans = "", []
        for before, name in self.template.parts:
            text += before
            if name is not None:
                spans.append((len(text), len(text) + len(str(values[name])), name))
                text += str(values[name])
        for syntax in self.find(text):
            touched = [
                (start, stop, name)
                for start, stop, name in spans
                if start < syntax.stop and stop > syntax.start
            ]
            if not touched:
                yield from self._in_template(text, syntax)
            elif (
                len(touched) == 1
                and touched[0][0] <= syntax.start
                and syntax.stop <= touched[0][1]
            ):
                if touched[0][2] in places:
                    yield _Found(places[touched[0][2]], syntax.kind, syntax.sentence(text))
            else:
                yield _Found((self.key,), syntax.kind, syntax.sentence(text))

    def _in_template(self, text: str, syntax: Syntax) -> Iterator[_Found]:
        """Syntax of the template alone. Words in doubled braces are what a person meant, unless
        they name a field.
        """
        written = text[syntax.start : syntax.stop]
        if not written.startswith(("{", "$")) or "|" in written:
            yield _Found((self.key,), syntax.kind, syntax.sentence(text))
        elif syntax.kind == FIELD and (name := written.strip("${ }")) in {
            "prompt",
            *(name for axis in self.axes for name in axis.variables),
        }:
            yield _Found(
                (self.key,),
                syntax.kind,
                f"{{{written}}} is painted with its braces: write {{{name}}} for the field.",
            )

    def dollars(self) -> Iterator[_Found]:
        """`${color}` for a field: the dollar would be painted. It may stand before a price."""
        for before, name in self.template.parts:
            if (
                before.endswith("$")
                and name is not None
                and not str(self._first[name])[:1].isdigit()
            ):
                yield _Found(
                    (self.key,),
                    FIELD,
                    f"${{{name}}} is a field in other tools, and the dollar would be painted:"
                    f" write {{{name}}}.",
                )


def _shape(text: str) -> str:
    """What of a text without any marks can make syntax of the marks around it: a number, capitals,
    or other words.
    """
    try:
        float(text)
    except ValueError:
        return "CAPITALS" if text.isupper() else "words"
    return "number"
