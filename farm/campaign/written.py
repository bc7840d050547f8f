"""The texts of a campaign file as their author wrote them: numbers keep their digits, and what a
comment cut off is told.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from farm.campaign.axes import MAX_VALUES
from farm.campaign.schema import Campaign, fields_of
from farm.campaign.settings import SETTINGS
from farm.documents.document import Document, Problem
from farm.documents.parsed import Path_

_TEXTS = ("name", "model", "prompt", "negative")
_NUMBERS = SETTINGS | {"seed"}
"""What stays a number although a prompt may name it."""


def with_written_texts(document: Document) -> dict[str, Any]:
    """The document's data, with numbers that are meant as texts as they were written: `1.10`, and
    not `1.1`.

    A number whose digits say all that was written stays a number, so that what was stored of it
    before is the same still.
    """
    data = dict(document.data)
    for key in _TEXTS:
        if (key,) in document.written:
            data[key] = document.written[(key,)]
    if isinstance(vary := data.get("vary"), Mapping):
        data["vary"] = {
            axis: _axis_as_written(raw, ("vary", axis), document.written)
            for axis, raw in vary.items()
        }
    if isinstance(skip := data.get("skip"), list):
        data["skip"] = [
            _as_written(rule, ("skip", k), document.written) for k, rule in enumerate(skip)
        ]
    return data


def cut_problems(document: Document) -> Iterator[Problem]:
    """Texts of which a comment left nothing."""
    for path, comment in document.cuts.items():
        if _is_text(path) and _at(document.data, path) is None:
            yield Problem(
                path,
                f"{_short(comment)!r} is read as a comment, and nothing is left: put the text in"
                " quotes.",
            )


def text_warnings(document: Document, campaign: Campaign) -> Iterator[Problem]:
    """Texts that are painted otherwise than they were written."""
    for path, comment in document.cuts.items():
        if _is_text(path):
            yield Problem(
                path,
                f"{_short(comment)!r} is read as a comment, and the text is"
                f" {_short(str(_at(document.data, path)))!r}: put the text in quotes if both"
                " belong together. A comment has two spaces before its # and one behind it.",
            )
    fields = fields_of(campaign)
    for path, text in document.written.items():
        name = _variable(path)
        value = _at(document.data, path)
        if name in _NUMBERS & fields and str(value) != text:
            yield Problem(
                path,
                f"{{{name}}} is a setting and becomes {value} in the prompt, not {text}: use"
                " another name for the text.",
            )


def _axis_as_written(raw: Any, path: Path_, written: Mapping[Path_, str]) -> Any:
    if isinstance(raw, Mapping):
        return (
            _range_as_written(raw, (*path, "range"), written)
            if set(raw) == {"range"} and path[-1] not in _NUMBERS
            else raw
        )
    return _as_written(raw, path, written)


def _as_written(value: Any, path: Path_, written: Mapping[Path_, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_written(inner, (*path, key), written) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(inner, (*path, k), written) for k, inner in enumerate(value)]
    text = written.get(path)
    return value if text is None or text == str(value) or _variable(path) in _NUMBERS else text


def _range_as_written(raw: Mapping[str, Any], path: Path_, written: Mapping[Path_, str]) -> Any:
    """A range with the digits of its numbers, if some would be lost: 0.50, 0.75, 1.00. Mistakes in
    it are left for the check.
    """
    texts = [written.get((*path, k)) for k in range(3)]
    numbers = raw["range"] if isinstance(raw["range"], list) else []
    if (
        len(numbers) != 3
        or None in texts
        or all(text == str(number) for text, number in zip(texts, numbers, strict=True))
    ):
        return raw
    first, last, step = (Decimal(str(text)) for text in texts)
    if not step or not 0 <= (last - first) / step < MAX_VALUES:
        return raw
    places = max(0, *(-int(number.as_tuple().exponent) for number in (first, last, step)))
    return [f"{first + step * k:.{places}f}" for k in range(int((last - first) / step) + 1)]


def _is_text(path: Path_) -> bool:
    """Whether what stands at a path goes into prompts."""
    return path in (("prompt",), ("negative",)) or (
        path[:1] == ("vary",)
        and any(isinstance(part, int) for part in path[2:3])
        and _variable(path) not in _NUMBERS
    )


def _variable(path: Path_) -> str:
    """The variable that the value at a path is for: the last name in it."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _at(data: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        data = data[part]
    return data


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
