"""Axes: the named lists that a campaign varies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import isfinite
from typing import Any

from farm.documents.characters import unprintable

Scalar = str | int | float
Value = Scalar | Mapping[str, Scalar]

MAX_VALUES = 100_000


@dataclass(frozen=True)
class Axis:
    """A name and its values in order. A value that is a mapping sets several variables at once."""

    name: str
    values: tuple[Value, ...]

    @cached_property
    def variables(self) -> frozenset[str]:
        """What the axis sets: the keys of its mappings, or its own name."""
        first = self.values[0]
        return frozenset(first) if isinstance(first, Mapping) else frozenset({self.name})

    def assignments(self, index: int) -> Mapping[str, Scalar]:
        value = self.values[index]
        return value if isinstance(value, Mapping) else {self.name: value}

    def label(self, index: int) -> str:
        """The value as a person reads it."""
        value = self.values[index]
        return (
            ", ".join(str(part) or "none" for part in value.values())
            if isinstance(value, Mapping)
            else str(value) or "none"
        )


class AxisError(ValueError):
    """A mistake in an axis, and the value that has it."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def parse_axis(name: str, raw: object) -> Axis:
    """An axis from what a campaign file says: a list of scalars, a list of mappings, or `{range:
    [first, last, step]}`.
    """
    if isinstance(raw, Mapping):
        if set(raw) == {"range"}:
            return Axis(name, tuple(range_values(raw["range"])))
        raise AxisError("an axis is a list, {csv: FILE} or {range: [first, last, step]}.")
    if not isinstance(raw, list):
        raise AxisError(
            "an axis is a list of values; to vary one value, put it in brackets: [value]."
        )
    if not raw:
        raise AxisError("the axis is empty: give it at least one value, or remove it.")
    if len(raw) > MAX_VALUES:
        raise AxisError(f"the axis has {len(raw):,} values; at most {MAX_VALUES:,} are supported.")
    first = raw[0]
    for index, value in enumerate(raw):
        if isinstance(first, Mapping):
            _check_mapping(value, first, index)
        else:
            _check_scalar(value, index)
    values = [_with_seeds_as_text(value) for value in raw]
    _refuse_duplicates(values)
    return Axis(name, tuple(values))


def _with_seeds_as_text(value: Any) -> Any:
    """A row's own seeds may be a list: as a value they are a text, like `11, 12`."""
    if isinstance(value, Mapping) and isinstance(seeds := value.get("seed"), list | tuple):
        return {**value, "seed": ", ".join(str(seed) for seed in seeds)}
    return value


def range_values(raw: object) -> Sequence[int | float]:
    """`[first, last, step]` with both ends included. Decimal steps are exact: 0.1, 0.2, 0.3."""
    if not (isinstance(raw, list) and len(raw) == 3 and all(_is_number(v) for v in raw)):
        raise AxisError("a range is three finite numbers: [first, last, step].")
    first, last, step = (Decimal(str(v)) for v in raw)
    if step == 0:
        raise AxisError("the step of a range must not be 0.")
    count = int((last - first) / step) + 1
    if count < 1 or (last - first) / step < 0:
        raise AxisError(
            f"the range is empty: from {raw[0]} steps of {raw[2]} never reach {raw[1]}."
        )
    if count > MAX_VALUES:
        raise AxisError(f"the range has {count:,} values; at most {MAX_VALUES:,} are supported.")
    whole = all(isinstance(v, int) for v in raw)
    return [int(v) if whole else float(v) for v in (first + step * k for k in range(count))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _check_scalar(value: object, index: int) -> None:
    if isinstance(value, bool):
        raise AxisError(
            f"YAML reads this as {str(value).lower()}, not as text: put it in quotes.", index
        )
    if isinstance(value, Mapping):
        raise AxisError(_mixed(value), index)
    if value is None:
        raise AxisError(
            "the value is missing: a value must be text or a number; write none for nothing.",
            index,
        )
    if not isinstance(value, str | int | float):
        raise AxisError("a value must be text or a number.", index)
    if isinstance(value, float) and not isfinite(value):
        raise AxisError("a number must be finite.", index)
    if isinstance(value, str) and (char := unprintable(value)):
        raise AxisError(f"the value has {char}.", index)


def _check_mapping(value: object, first: Mapping[str, object], index: int) -> None:
    if not isinstance(value, Mapping):
        raise AxisError(_mixed(first), index)
    if not value:
        raise AxisError("the mapping is empty: it must set at least one variable.", index)
    if set(value) != set(first):
        odd = ", ".join(sorted(set(value) ^ set(first)))
        raise AxisError(
            f"every mapping of an axis must have the same keys; {odd} is not in all of"
            f" them{_colon_hint(value)}.",
            index,
        )
    for key, part in value.items():
        if (
            key == "seed"
            and isinstance(part, list | tuple)
            and part
            and all(type(seed) is int for seed in part)
        ):
            continue
        if isinstance(part, Mapping | list):
            raise AxisError("the values in a mapping must be text or numbers.", index)
        _check_scalar(part, index)


def _mixed(mapping: Mapping[str, object]) -> str:
    return (
        "some values of the axis are mappings and some are not: make all of them"
        f" alike{_colon_hint(mapping)}."
    )


def _colon_hint(mapping: Mapping[str, object]) -> str:
    """A text with a colon and a space in it, without quotes, is a mapping with one key to YAML."""
    key = next(iter(mapping), "")
    return (
        f" (if {f'{key}: {mapping[key]}'!r} is a text, put it in quotes)"
        if len(mapping) == 1
        else ""
    )


def _refuse_duplicates(values: list[Any]) -> None:
    # As text: 3 and "3" would give the same prompt and two pictures of it.
    seen: dict[object, int] = {}
    for index, value in enumerate(values):
        key = (
            tuple(sorted((k, str(v)) for k, v in value.items()))
            if isinstance(value, Mapping)
            else str(value)
        )
        if key in seen:
            raise AxisError(
                f"the value {value!r} stands twice in the axis (first at {seen[key]}): remove"
                " one.",
                index,
            )
        seen[key] = index
