"""Reading a stranger's YAML. Text that other readers silently drop or change is refused, and
nothing is built from tags.
"""

import datetime
import math
import re
from typing import Any

import yaml

from farm.documents.characters import character_name, is_odd_space, odd_indentation
from farm.documents.parsed import Parsed, Path_, Unreadable

MAX_DEPTH = 20
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9]\d{0,18})(\.\d*)?([eE][-+]?\d{1,3})?|[-+]?\.\d+")
_COMMENT = re.compile(r"([ \t]+)(#[^\r\n]*)")
_SENTENCES = {
    "mapping values are not allowed in this context": (
        "a colon and a space make a key of the words before them, and no key can stand here: "
        "put the text in quotes, or mend the indentation"
    ),
    "block sequence entries are not allowed in this context": (
        "no list can begin here: begin it on a new line, or put the text in quotes"
    ),
    "found character that cannot start any token": (
        "a text cannot begin with {char}: put it in quotes"
    ),
    "found unknown escape character": (
        "in double quotes {pair} means nothing: write \\\\ for a backslash, or use single quotes"
    ),
    "did not find expected comment or line break": (
        "after | or > a text begins on the next line: put it in quotes to write it here"
    ),
    "could not find expected ':'": (
        "the line is no `key: value`: a key has a colon and a space behind it, "
        "and a text that goes on has spaces before each of its lines"
    ),
}
"""libyaml's problems in plain words; `char` is the character at which it stopped."""


def read_yaml(text: str) -> Parsed:
    """Parse a YAML mapping. Raises Unreadable."""
    try:
        _refuse_machinery(text)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise Unreadable(
                "the file must be a mapping of keys to values, like `name: spring`.", line=1
            )
        reader = _Reader(text)
        data = reader.read(root, ())
        return Parsed(data, reader.lines, reader.written, reader.cuts)
    except yaml.MarkedYAMLError as exc:
        line, sentence = _sentence(exc, text)
        raise Unreadable(f"this is not YAML: {sentence}.", line=line) from exc
    except yaml.reader.ReaderError as exc:
        before = text.encode()[: exc.position].decode(errors="ignore")
        char = (
            character_name(chr(exc.character)) if isinstance(exc.character, int) else "a character"
        )
        raise Unreadable(
            f"this is not YAML: {char} cannot stand in it: remove it.", line=before.count("\n") + 1
        ) from exc
    except yaml.YAMLError as exc:
        raise Unreadable(f"this is not YAML: {' '.join(str(exc).split())}.") from exc


def _refuse_machinery(text: str) -> None:
    """Refuse tags, anchors, aliases and great depth while they are still events, before anything
    is built from them.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable(
                "anchors and aliases (& and *) are not supported: write the value out, or put a"
                " text in quotes.",
                line=line,
            )
        tag = getattr(event, "tag", None)
        if tag:
            raise Unreadable(
                f"tags ({tag}) are not supported: write a plain value, or put a text in quotes.",
                line=line,
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Unreadable(
                f"lists and mappings are nested more than {MAX_DEPTH} deep.", line=line
            )


class _Reader:
    """Builds plain values from YAML nodes, noting lines and refusing what is silently dropped or
    changed elsewhere.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[Path_, int] = {}
        self.written: dict[Path_, str] = {}
        self.cuts: dict[Path_, str] = {}
        self._text = text
        self._scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, path: Path_) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, k)) for k, child in enumerate(node.value)]
        if (
            isinstance(node, yaml.ScalarNode)
            and not node.style
            and (comment := _cutting_comment(self._text, node.end_mark.index))
        ):
            self.cuts[path] = comment
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise Unreadable(
                    "a key must be a plain word; put a text that begins with a brace or a bracket"
                    " in quotes.",
                    line=line,
                )
            key = key_node.value
            if odd := next(filter(is_odd_space, key), None):
                raise Unreadable(
                    f"the key {key!r} holds {character_name(odd)}: use plain spaces, also for"
                    " indentation.",
                    line=line,
                )
            if key in values:
                raise Unreadable(
                    f"the key {key!r} stands twice in the same mapping: keep one of them.",
                    line=line,
                )
            values[key] = self.read(value_node, (*path, key))
            self.lines[(*path, key)] = line
        return values

    def _scalar(self, node: yaml.Node, path: Path_) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as exc:
            message = f"{_short(repr(node.value))} cannot be read as a value: put it in quotes."
            raise Unreadable(message, line=self.lines[path], path=path) from exc
        if isinstance(value, float) and not math.isfinite(value):
            message = (
                f"{_short(node.value)} is not a number that can be painted with: write a finite"
                " one."
            )
        elif (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not _PLAIN_NUMBER.fullmatch(node.value)
        ):
            message = (
                f"YAML reads {_short(node.value)} as a number in its own way: write it plainly, or"
                " put it in quotes to mean text."
            )
        elif isinstance(value, datetime.date) and path == ("deadline",):
            return node.value
        elif isinstance(value, datetime.date | bytes):
            message = (
                f"{node.value} is read as {type(value).__name__} by YAML: put it in quotes to mean"
                " text."
            )
        else:
            if isinstance(value, int | float) and not isinstance(value, bool):
                self.written[path] = node.value
            return value
        raise Unreadable(message, line=self.lines[path], path=path)


def _cutting_comment(text: str, end: int) -> str | None:
    """The comment behind a text that ends here, unless it stands off as comments do: after two
    spaces or more, and with a space in it.
    """
    found = _COMMENT.match(text, end)
    if found is None:
        return None
    gap, comment = found.groups()
    stands_off = (len(gap) > 1 or "\t" in gap) and not comment[1:2].strip()
    return None if stands_off else comment.rstrip()


def _sentence(exc: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The line of a mistake, and what is wrong there."""
    mark, began, problem = exc.problem_mark, exc.context_mark, exc.problem or exc.context or ""
    if mark is None:
        return 1, problem
    lines = text.splitlines()
    at_key = began is not None and exc.context == "while scanning a simple key"
    for number in sorted(
        {max(0, mark.line - 1), mark.line, *([began.line] if began and at_key else [])}
    ):
        if number < len(lines) and (odd := odd_indentation(lines[number])):
            return (
                number + 1,
                (
                    f"{character_name(odd)} stands at the beginning of the line, or behind its"
                    " key: use plain spaces"
                ),
            )
    if exc.context == "while scanning a quoted scalar" and began is not None:
        return began.line + 1, f"the quote in column {began.column + 1} is never closed"
    name = character_name(text[mark.index]) if mark.index < len(text) else "nothing"
    if (
        exc.context in ("while scanning an alias", "while scanning an anchor")
        and began is not None
    ):
        return (
            began.line + 1,
            (
                f"column {began.column + 1}: a text cannot begin with {text[began.index]}: put it"
                " in quotes"
            ),
        )
    if at_key and began is not None:
        return began.line + 1, _SENTENCES.get(problem, problem)
    if problem in _SENTENCES:
        return (
            mark.line + 1,
            (
                f"column {mark.column + 1}:"
                f" {_SENTENCES[problem].format(char=name, pair=text[mark.index : mark.index + 2])}"
            ),
        )
    return mark.line + 1, _structural(
        problem,
        text,
        mark,
        lines[max(0, min(began.line, mark.line - 1) if began else mark.line - 1) : mark.line + 1],
    )


def _structural(problem: str, text: str, mark: Any, within: list[str]) -> str:
    """What breaks a list or mapping, as far as the text around tells."""
    before = text[: mark.index].rpartition("\n")[2].rstrip()
    if problem == "did not find expected key" and before and before[-1] in "\"'}]":
        return (
            f"column {mark.column + 1}: the value ends with {before[-1]}, and more text follows:"
            " put all of it in quotes"
        )
    if problem == "did not find expected key":
        return "the line does not fit those above it: mend its indentation"
    if problem.startswith(("did not find expected ',' or", "did not find expected node content")):
        cut = next((line for line in within if _COMMENT.search(line)), None)
        if cut is not None:
            comment = _COMMENT.search(cut)
            assert comment is not None
            return (
                f"a list or mapping is not closed, because {_short(comment[2])!r} is a comment:"
                " put a text with # in quotes"
            )
        return f"{problem}: a bracket is not closed, or a comma or a quote is missing"
    return problem


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
