"""What pydantic finds wrong with a file or a request, in everyday words."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from farm.documents.document import Document, DocumentError, Problem, did_you_mean
from farm.documents.foreign_words import foreign_hint, own_word
from farm.documents.parsed import Path_

S = TypeVar("S", bound=BaseModel)
Keys = Mapping[str, Iterable[str]]
"""The keys of each section of a file, by the section's name; "" is the file itself."""

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)\s*")
_EXAMPLES = {
    "vary": "{color: [red, blue]}",
    "notes": "[comment]",
    "skip": "[{color: red}]",
    "settings": "{steps: 20}",
    "reference": "{image: photo.png}",
    "control": "{model: canny, image: edges.png}",
    "likeness": "{model: ip-adapter, image: mood.png}",
    "upscale": "{by: 2}",
    "edit": "[photo.png]",
    "adapters": "[{lora: style.safetensors}]",
    "per": "[color]",
    "previews": "{every: 10}",
    "at": "[0.2, 0.5]",
    "drift": "{limit: 0.3}",
    "proof": "{steps: 8, seeds: 2}",
    "auto_approve": "{drift: 0.2}",
    "output": "{format: webp}",
    "budget": "{gpu_hours: 10}",
    "pools": "[{name: spot}]",
    "labels": "{market-type: spot}",
    "campaigns": "[{name: spring, model: seedling, …}]",
    "shares": "{acme: 2}",
    "quotas": "{acme: 8}",
    "losses_per_hour": "{spot: 0.1}",
    "faulty": "{spot: 0.01}",
    "classes": "{spot: other-gpu}",
    "speeds": "{spot: {seedling: 2}}",
    "warm": "{spot: 2}",
    "missing": "[spot]",
}
"""How each list and each mapping of our files is written."""
_KINDS = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "too small: it must be more than"),
    "greater_than_equal": ("ge", "too small: at least"),
    "less_than": ("lt", "too large: it must be less than"),
    "less_than_equal": ("le", "too large: at most"),
    "multiple_of": ("multiple_of", "not possible: it must be a multiple of"),
}


def check(kind: type[S], data: Mapping[str, Any], document: Document | None) -> S:
    """A document as a model of pydantic. Raises DocumentError with every problem, each at its
    place.
    """
    try:
        return kind.model_validate(dict(data))
    except ValidationError as exc:
        keys = keys_of(kind)
        raise DocumentError(
            [problem_of(error, keys) for error in exc.errors()], document
        ) from None


def keys_of(kind: type[BaseModel]) -> Keys:
    """The keys of a model, and of each model within it."""
    keys: dict[str, Iterable[str]] = {}
    for name, field in kind.model_fields.items():
        for inner in _models_in(field.annotation):
            keys |= {**keys_of(inner), name: inner.model_fields}
    return {**keys, "": kind.model_fields}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def problem_of(error: ErrorDetails, keys: Keys, within: str | None = None) -> Problem:
    """One of pydantic's errors as a sentence; `within` is the section that was checked alone."""
    outer = () if within is None else (within,)
    path: Path_ = (*outer, *(part for part in error["loc"] if part != "[key]"))
    match error["type"]:
        case "extra_forbidden":
            return Problem(path, f"unknown key {path[-1]!r}: {_key_hint(path, keys)}")
        case "missing":
            return Problem(path[:-1], f"the key {path[-1]!r} is missing.")
        case kind if kind in _KINDS:
            return Problem(path, _other_kind(error["input"], _KINDS[kind], path))
        case _:
            return Problem(path, _refusal(error, path))


def shown_value(value: object) -> str:
    """A value as a sentence names it, in at most 60 characters."""
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- unknown keys ---


def _key_hint(path: Path_, keys: Keys) -> str:
    """The right name of a key that its section does not have, or the section that has it."""
    word = str(path[-1])
    section = next((str(part) for part in path[-2::-1] if isinstance(part, str)), "")
    if section in ("", "settings") and "settings" in keys:  # a campaign, not a fleet file or trace
        if place := _other_section(word, section, keys):
            return place
        if hint := foreign_hint(word):
            return f"{hint}."
    known = keys.get(section, ())
    return did_you_mean(word, known) if known else "remove it."


def _other_section(word: str, section: str, keys: Keys) -> str | None:
    own = own_word(word) or word
    if section == "" and own in keys["settings"]:
        return f"{own!r} stands under `settings`."
    if section == "settings" and own in keys[""]:
        return f"{own!r} is a key of its own, outside of `settings`."
    return None


# --- values of another kind ---


def _other_kind(value: object, expected: str, path: Path_) -> str:
    if value is None:
        return (
            f"nothing is written here, and {expected} is expected: write one, or remove the key."
        )
    match expected:
        case "a text":
            return _no_text(value)
        case "a number" | "a whole number":
            return _no_number(value, expected)
        case "a list" | "a mapping":
            key = next((part for part in reversed(path) if part in _EXAMPLES), None)
            brackets = "brackets" if expected == "a list" else "braces"
            like = f"like `{key}: {_EXAMPLES[str(key)]}`" if key else f"in {brackets}"
            return f"{shown_value(value)} is not {expected}: write one, {like}."
        case _:
            shown = shown_value(value)
            return f"{shown} is neither true nor false: write one of them, without quotes."


def _no_text(value: object) -> str:
    """Most often YAML has read a text without quotes as something else."""
    if isinstance(value, bool):
        return f"YAML reads this as {str(value).lower()}, not as text: put it in quotes."
    if isinstance(value, Mapping | list):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"this is read as a {kind}, not as text: put a text in quotes."
    return f"{shown_value(value)} is not a text: put it in quotes."


def _no_number(value: object, expected: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{shown_value(value)} has more digits than can be read."
    is_number = isinstance(value, float) or (
        isinstance(value, str) and bool(_NUMBER.fullmatch(value))
    )
    if isinstance(value, str) and is_number and (expected == "a number" or "." not in value):
        return f"{shown_value(value)} is a text: write the number without quotes."
    remedy = "without a point" if is_number else "in digits"
    return f"{shown_value(value)} is not {expected}: write one {remedy}."


# --- values of the right kind that cannot be used ---


def _refusal(error: ErrorDetails, path: Path_) -> str:
    value, limits, shown = error["input"], error.get("ctx", {}), shown_value(error["input"])
    match error["type"]:
        case "value_error":
            return str(limits["error"])
        case _ if value != value:  # noqa: PLR0124  # NaN is on neither side of any bound
            return f"{value} is not a finite number."
        case kind if kind in _BOUNDS:
            bound, words = _BOUNDS[kind]
            return f"{shown} is {words} {_limit(limits[bound])}."
        case "finite_number":
            return f"{value} is not a finite number."
        case "literal_error" | "enum":
            known = re.findall(r"'([^']+)'", limits["expected"])
            what = (
                "nothing is written here" if value is None else f"there is no {path[-1]} {shown}"
            )
            return f"{what}: {did_you_mean(str(value), known)}"
        case "string_pattern_mismatch":
            return _no_name(shown, path)
        case _:
            return _wrong_length(error)


def _no_name(shown: str, path: Path_) -> str:
    if path[-1] != "name":
        return f"{shown} cannot name an axis: use letters, digits and underscores."
    section = next((part for part in path[:-1] if isinstance(part, str)), "campaigns")
    return (
        f"{shown} cannot name a {section.removesuffix('s')}: use small letters, digits and"
        " hyphens, like spring-launch."
    )


def _wrong_length(error: ErrorDetails) -> str:
    value, limits = error["input"], error.get("ctx", {})
    is_text = isinstance(value, str)
    match error["type"]:
        case "string_too_short" | "too_short" if limits["min_length"] == 1:
            return (
                "the text is empty: write at least 1 character."
                if is_text
                else "the list is empty: write at least 1 entry."
            )
        case "string_too_long" | "too_long":
            what = (
                f"the text has {len(value):,} characters"
                if is_text
                else f"there are {len(value):,} entries"
            )
            return f"{what}: at most {limits['max_length']:,}."
        case "string_unicode":
            return "the text holds half a character (a lone surrogate): write whole characters."
        case _:  # no model of ours raises it: a test goes through all of them
            return f"{shown_value(value)} cannot be used: {error['msg']}."


def _limit(limit: float) -> str:
    return str(int(limit)) if float(limit).is_integer() else str(limit)
