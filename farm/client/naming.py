"""Names for exported pictures, from a template like `{product}_{color}_{seed}`: checked as a whole
before anything is copied.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from string import Formatter

from farm.documents.document import did_you_mean
from farm.results.line import Line
from farm.results.line_fields import Json, fields_of, names_in
from storage.errors import RequestError

MAX_PART = 255  # bytes of a file's name, on every common file system
MAX_PATH = 800  # bytes; S3 takes 1,024 with the prefix
_LONGEST_ENDING = ".step1000.webp"
_SLUG = "slug"
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.DOTALL
)  # Windows has no files of these names
_HIDDEN = (
    "Cc",
    "Cf",
    "Cs",
    "Zl",
    "Zp",
)  # what nobody sees in a name, or what turns the text around it
_TOLD = 60


class Naming:
    """A template for the names of pictures. `{name:slug}` is a value in small letters, digits and
    hyphens.
    """

    def __init__(self, template: str) -> None:
        """Raises RequestError for a template that no file could be named by."""
        self._template = template
        self._parts = _parsed(template)
        if not any(field for _, field, _ in self._parts):
            raise RequestError(
                f"--names {template!r} would give every picture the same name: write fields like"
                " {product}_{seed}."
            )
        literal = "".join(text + ("x" if field else "") for text, field, _ in self._parts)
        for part in literal.split("/"):
            if problem := part_problem(part):
                raise RequestError(
                    f"--names {template!r} leads out of the folder, or names no file that all"
                    f" systems take: {problem}."
                )

    def check_fields(self, lines: Iterable[Line]) -> None:
        """Raises RequestError for a field that no line has."""
        known = names_in(lines)
        for _, field, _ in self._parts:
            if field and known and field not in known:
                raise RequestError(
                    f"--names: no render has a {field!r}: {did_you_mean(field, known)}"
                )

    def path(self, line: Line, ending: str) -> str:
        """The path of a line's picture, with its ending. Raises RequestError for values that
        cannot be part of a file's name.
        """
        fields = fields_of(line)
        filled = "".join(
            text + (self._value(field, how, fields, line) if field else "")
            for text, field, how in self._parts
        )
        path = filled if filled.endswith(f".{ending}") else f"{filled}.{ending}"
        for part in path.split("/"):
            if problem := part_problem(part):
                raise RequestError(
                    f"--names: render {line['number']} would be called {_short(path)!r}:"
                    f" {problem}."
                )
        longest = f"{path[: -len(ending) - 1]}{_LONGEST_ENDING}"
        if (
            max(len(part.encode()) for part in longest.split("/")) > MAX_PART
            or len(longest.encode()) > MAX_PATH
        ):
            raise RequestError(
                f"--names: the name of render {line['number']} is too long ({_short(path)!r},"
                f" {len(path.encode()):,} bytes): leave a field out, or take {{number}} instead."
            )
        return path

    def _value(self, field: str, how: str, fields: Json, line: Line) -> str:
        if field not in fields:
            raise RequestError(f"--names: render {line['number']} has no {field!r}.")
        value = fields[field]
        text = "none" if value is None else str(value)
        if how == _SLUG:
            return re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", text.lower())).strip("-.")
        if unsafe := _unsafe_character(text):
            raise RequestError(
                f"--names: the {field} {_short(text)!r} has {unsafe}, which not every system takes"
                f" in the name of a file: write {{{field}:{_SLUG}}} to have it in small letters,"
                " digits and hyphens, or take {number} instead."
            )
        return text


def collision(
    paths: Iterable[tuple[int, Sequence[str]]], reserved: Iterable[str] = ()
) -> str | None:
    """The first two renders whose files would have one name, as a sentence; names that differ in
    case alone are one on many systems.

    `paths` has the number of each render with the paths of its files, `reserved` what the export
    itself writes.
    """
    owners: dict[str, int] = {}
    taken = {_folded(path) for path in reserved}
    for number, own in paths:
        for path in own:
            folded = _folded(path)
            if folded in taken or folded.partition("/")[0] in taken:
                return (
                    f"--names: render {number} would be called {_short(path)!r}, as a file of the"
                    " export itself is: use another name."
                )
            first = owners.setdefault(folded, number)
            if first != number:
                return (
                    f"--names: the renders {first} and {number} would both be called"
                    f" {_short(path)!r} (or differ in case alone): add {{seed}}, {{number}} or"
                    " another field that tells them apart."
                )
    return None


def part_problem(part: str) -> str | None:
    """Why a folder or file cannot be called so on every common system; None if it can."""
    if part in ("", ".", ".."):
        return f"{part!r} is no name"
    if unsafe := _unsafe_character(part):
        return f"it has {unsafe}"
    if part.startswith("."):
        return "a name that begins with a dot is hidden"
    if part[0].isspace() or part[-1].isspace() or part.endswith("."):
        return f"{_short(part)!r} begins or ends with a space or a dot"
    if _DEVICE.fullmatch(part):
        return f"{_short(part)!r} is the name of a device on Windows"
    return None


def _unsafe_character(text: str) -> str | None:
    for char in text:
        if _UNSAFE.match(char) or unicodedata.category(char) in _HIDDEN:
            return repr(char) if char.isprintable() else f"the character U+{ord(char):04X}"
    return None


def _parsed(template: str) -> list[tuple[str, str | None, str]]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as exc:
        raise RequestError(f"--names {template!r}: the braces do not match ({exc}).") from exc
    parts = []
    for text, field, spec, conversion in parsed:
        if field is not None and (
            conversion or spec not in ("", _SLUG) or not re.fullmatch(r"[^\W\d]\w*", field)
        ):
            ending = f"{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
            raise RequestError(
                f"--names {template!r}: only names like {{product}}, or {{product:{_SLUG}}}, may"
                f" stand in braces, not {{{field}{ending}}}."
            )
        parts.append((text, field, spec or ""))
    return parts


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _short(text: str) -> str:
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"
