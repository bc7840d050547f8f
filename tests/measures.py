"""`make measures`: how large functions, classes and files are, and how plain the prose is.

Measured at 99 columns. A function's length leaves its docstring out. Migrations are left out:
each is a list of statements that nobody changes again. Tests are compared with the code by lines
that hold a statement; benchmarks and the programs that made seedling do not count as code there.
With `--check`, a limit that is exceeded is an error; `make lint` runs it so.
"""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FUNCTION, CLASS, FILE = 50, 250, 400
MEDIAN, NINETIETH = 7, 22
TESTS_TO_CODE = 0.9
WHERE_FOR_IF, NOUN_CLAUSES = 4, 9
FLOORS = ("farm", "actors", "storage", "dashboards")
PROGRAMS = ("farm/bench/", "actors/bench/", "storage/bench/", "actors/seedling/")

# "Where …, …" that begins a sentence, or a clause whose subject has no place, stands for "if".
_WHERE = re.compile(
    r"(?:^|[.:;] )Where\b[^.:;]*, "
    r"|, where (?=(?:it|they|he|she|one|no|nobody|none|there|somebody|this)\b)"
)
# "What is left is …": a clause that stands for a noun which has a name.
_NOUN = re.compile(r"(?:^|[.:;] )What (?:is|was|has|are|were|have)\b(?![^.?]*\?)", re.IGNORECASE)


class Size(NamedTuple):
    lines: int
    place: str


class Measures(NamedTuple):
    functions: list[Size]
    classes: list[Size]
    files: list[Size]
    where_for_if: list[str]
    noun_clauses: list[str]
    code: int
    tests: int

    @property
    def tests_to_code(self) -> float:
        return self.tests / self.code


def measure(root: Path) -> Measures:
    """The measures of a checkout."""
    sources = [path for floor in FLOORS for path in _tracked(root, f"{floor}/*.py")]
    sources = [path for path in sources if "migrations" not in path.parts]
    found = Measures([], [], [], [], [], code=0, tests=0)
    for path in sources:
        name, text = path.relative_to(root).as_posix(), path.read_text()
        found.files.append(Size(len(text.splitlines()), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.functions.append(Size(_length(node), f"{name}:{node.lineno} {node.name}"))
            elif isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                found.classes.append(Size(lines, f"{name}:{node.lineno} {node.name}"))
        _read(found, name, prose_of(text))
    for path in _tracked(root, "*.md"):
        if path.name != "CHANGELOG.md":
            _read(found, path.relative_to(root).as_posix(), path.read_text().split("\n\n"))
    code = [path for path in sources if not path.relative_to(root).as_posix().startswith(PROGRAMS)]
    return found._replace(
        code=sum(map(_statement_lines, code)),
        tests=sum(map(_statement_lines, _tracked(root, "tests/*.py"))),
    )


def prose_of(source: str) -> Iterator[str]:
    """The docstrings of a file, and its comments, those on lines that follow each other as one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
    block, last = [], 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] != last + 1:
                yield " ".join(block)
                block = []
            block.append(token.string.lstrip("# "))
            last = token.start[0]
    yield " ".join(block)


def faults(found: Measures) -> list[str]:
    """A sentence for each limit that is exceeded."""
    lengths = sorted(size.lines for size in found.functions)
    median, ninetieth = statistics.median(lengths), lengths[int(len(lengths) * 0.9)]
    told = [
        f"{size.place} has {size.lines} lines; at most {most} are allowed."
        for sizes, most in (
            (found.functions, FUNCTION),
            (found.classes, CLASS),
            (found.files, FILE),
        )
        for size in sizes
        if size.lines > most
    ]
    if median > MEDIAN:
        told.append(f"The median function has {median} lines; at most {MEDIAN} are allowed.")
    if ninetieth > NINETIETH:
        told.append(f"A tenth of the functions have {ninetieth} lines or more, not {NINETIETH}.")
    if found.tests_to_code < TESTS_TO_CODE:
        told.append(f"Tests have {found.tests_to_code:.2f} of the lines of the code.")
    for places, most, what in (
        (found.where_for_if, WHERE_FOR_IF, "'where' for 'if'"),
        (found.noun_clauses, NOUN_CLAUSES, "a clause like 'what is …' for a noun"),
    ):
        if len(places) > most:
            told.append(f"{what} stands at {len(places)} places, more than {most}:")
            told += [f"  {place}" for place in places]
    return told


def report(found: Measures) -> str:
    """The measures as a table in Markdown, as CONTRIBUTING.md has it."""
    lengths = sorted(size.lines for size in found.functions)
    rows = [
        ("functions", len(lengths), ""),
        ("median of their lines", statistics.median(lengths), MEDIAN),
        ("ninetieth percentile", lengths[int(len(lengths) * 0.9)], NINETIETH),
        ("longest function, lines", lengths[-1], FUNCTION),
        ("longest class, lines", max(found.classes).lines, CLASS),
        ("longest file, lines", max(found.files).lines, FILE),
        ("lines of tests to lines of code", round(found.tests_to_code, 2), TESTS_TO_CODE),
        ("*where* for *if*", len(found.where_for_if), WHERE_FOR_IF),
        ("clauses like *what is …* for a noun", len(found.noun_clauses), NOUN_CLAUSES),
    ]
    lines = [f"| {name} | {value:,} | {limit} |" for name, value, limit in rows]
    return "\n".join(["| measure | value | limit |", "|---|---|---|", *lines])


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or 0) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def _read(found: Measures, name: str, texts: Iterator[str] | list[str]) -> None:
    for text in texts:
        words = " ".join(text.split())
        for pattern, places in ((_WHERE, found.where_for_if), (_NOUN, found.noun_clauses)):
            for match in pattern.finditer(words):
                places.append(f"{name}: …{words[max(0, match.start() - 20) : match.end() + 50]}…")


def _statement_lines(path: Path) -> int:
    """How many lines hold a part of a statement: no comment, docstring or blank line counts."""
    source = path.read_text()
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in empty and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _tracked(root: Path, pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=root, capture_output=True, text=True, check=True
    )
    return [path for line in listed.stdout.splitlines() if (path := root / line).is_file()]


if __name__ == "__main__":
    measures = measure(Path(__file__).parents[1])
    wrong = faults(measures)
    sys.stdout.write("\n".join([report(measures), *wrong]) + "\n")
    sys.exit(bool(wrong) and "--check" in sys.argv[1:])
