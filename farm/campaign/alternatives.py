"""Alternatives in a template, `{color: red|blue}`: an axis that is written where it is used.

They become an axis of `vary` under their name before anything else is read, so that seeds, numbers
and files are those of an axis.
"""

import re
from collections.abc import Mapping, MutableMapping
from string import Formatter
from typing import Any

from farm.documents.document import Document, DocumentError, Problem
from farm.documents.parsed import Path_

_NAME = re.compile(r"[A-Za-z_]\w*")
_TEMPLATES = ("prompt", "negative")


def with_alternatives(data: Mapping[str, Any], document: Document | None = None) -> dict[str, Any]:
    """A campaign's data with the alternatives in its templates as axes behind those of `vary`;
    the document learns the lines of their values. Raises DocumentError for alternatives that
    cannot be an axis. What is wrong otherwise is left as it stands.
    """
    changed, found = dict(data), dict[str, tuple[str, list[str]]]()
    for key in _TEMPLATES:
        if isinstance(text := data.get(key), str) and "|" in text:
            changed[key] = _without(key, text, found)
    if not found:
        return changed
    vary = data.get("vary") or {}
    if not isinstance(vary, Mapping):
        return dict(data)  # which is wrong in a way of its own
    for name, (key, values) in found.items():
        if name in vary:
            raise _wrong(key, name, "an axis of that name stands in `vary`: remove one of them.")
        if document is not None:
            _place(document.lines, key, name, len(values))
    axes = {name: values for name, (_, values) in found.items()}
    return {**changed, "vary": {**vary, **axes}}


def _without(key: str, text: str, found: dict[str, tuple[str, list[str]]]) -> str:
    """A template with plain fields in the place of its alternatives, which go into `found`."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return text
    pieces = []
    for before, name, spec, conversion in parts:
        pieces.append(before.replace("{", "{{").replace("}", "}}"))
        if name is None:
            continue
        ending = f"{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
        if conversion or not spec or "|" not in spec or not _NAME.fullmatch(name):
            pieces.append(f"{{{name}{ending}}}")
            continue
        values = [value.strip() for value in spec.split("|")]
        if "" in values:
            raise _wrong(key, name, "one of them is empty: write `none` for nothing.")
        if found.setdefault(name, (key, values))[1] != values:
            raise _wrong(
                key, name, f"they were others before: write {{{name}}} where the same are meant."
            )
        pieces.append(f"{{{name}}}")
    return "".join(pieces)


def _wrong(key: str, name: str, what: str) -> DocumentError:
    return DocumentError([Problem((key,), f"the alternatives {{{name}: …}}: {what}")])


def _place(lines: MutableMapping[Path_, int], key: str, name: str, count: int) -> None:
    """Let the axis and its values stand on the line of the template."""
    if (line := lines.get((key,))) is not None:
        for path in (("vary", name), *(("vary", name, k) for k in range(count))):
            lines[path] = line
