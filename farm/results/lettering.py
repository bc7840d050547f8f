"""Text of any script in a picture: wrapped, shaped, and drawn in its direction, each letter from a
font that has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from unicodedata import bidirectional

import numpy as np
import regex
import uharfbuzz as hb
from bidi import algorithm
from PIL import Image

from farm.results.fonts import UNITS, Face, face_of

Color = tuple[int, int, int]
ELLIPSIS = "…"
LINE_HEIGHT = 1.4
"""From one line to the next, in letter heights."""

_BASELINE = 1.05
_CLUSTER = regex.compile(r"\X")
_EAST = r"[\p{Han}\p{Hiragana}\p{Katakana}ー々]"
# What a line may end after: a space, a hyphen, a sign between parts of a path, any letter of East
# Asia.
_UNIT = regex.compile(
    rf"[\p{{Ps}}\p{{Pi}}]*{_EAST}[\p{{M}}\p{{Pe}}\p{{Pf}}、。，"
    rf"．！？：；ー]*\s*|(?:(?!{_EAST})[^\s/_-])*[/_-]*\s*"
)
_RIGHT_TO_LEFT = regex.compile(r"[\p{bc=R}\p{bc=AL}\p{bc=AN}]")
# Orders that turn what follows them round, and could make one label read as another.
_ORDERS = regex.compile(r"[\u202a-\u202e\u2066-\u2069]")
_EAST_ASIAN = {
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": regex.compile(r"\p{Hangul}"),
    "zh": regex.compile(r"\p{Han}"),
}


@dataclass(frozen=True)
class _Glyph:
    """A shape of a font and its place, in units from where its text begins."""

    font: hb.Font
    number: int
    x: int
    y: int


@dataclass(frozen=True)
class _Shaped:
    glyphs: tuple[_Glyph, ...]
    width: int


class Lettering:
    """Draws text of one size, in pixels."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.line = round(size * LINE_HEIGHT)

    def width(self, text: str) -> float:
        return self._advance(plain(text))

    def wrap(self, text: str, width: float, most: int | None = None) -> list[str]:
        """The text in lines no wider than `width` pixels. What does not fit into `most` lines
        gives way to an ellipsis.
        """
        lines = list(islice(self._lines(plain(text), width), None if most is None else most + 1))
        if most is None or len(lines) <= most:
            return [line.rstrip() for line in lines]
        return [
            *(line.rstrip() for line in lines[: most - 1]),
            self._cut("".join(lines[most - 1 :]), width),
        ]

    def draw(self, image: Image.Image, x: float, y: float, text: str, color: Color) -> None:
        """Draw one line whose upper left corner is at x, y."""
        shaped, scale = _shape(plain(text)), self.size / UNITS
        pen = hb.RasterDraw()
        for glyph in shaped.glyphs:
            pen.transform = (scale, 0, 0, scale, x % 1 + glyph.x * scale, glyph.y * scale)
            pen.draw_glyph(glyph.font, glyph.number)
        drawn = pen.render()
        extents = drawn.extents
        if not extents.width or not extents.height:
            return
        rows = np.frombuffer(drawn.buffer, np.uint8).reshape(extents.height, extents.stride)[
            ::-1, : extents.width
        ]
        top = int(y) + round(self.size * _BASELINE) - extents.y_origin - extents.height
        image.paste(
            color, (int(x) + extents.x_origin, top), Image.fromarray(np.ascontiguousarray(rows))
        )

    def _lines(self, text: str, width: float) -> Iterator[str]:
        line: list[str] = []
        used = 0.0
        for unit in filter(None, _UNIT.findall(text)):
            for part in self._parts(unit, width):
                # Parts are measured alone, because they come again in other texts; a line is a
                # little wider if its letters join.
                if line and (
                    used + self._advance(part.rstrip()) > width
                    or self._advance("".join((*line, part)).rstrip()) > width
                ):
                    yield "".join(line)
                    line, used = [], 0.0
                line.append(part)
                used += self._advance(part)
        if line:
            yield "".join(line)

    def _parts(self, unit: str, width: float) -> Iterator[str]:
        """A unit, or if it is wider than a line, as many letters at a time as fit."""
        if self._advance(unit.rstrip()) <= width:
            yield unit
            return
        part = ""
        for cluster in _CLUSTER.findall(unit):
            if part and self._advance(part + cluster) > width:
                yield part
                part = ""
            part += cluster
        yield part

    def _cut(self, text: str, width: float) -> str:
        """As much of the beginning of a text as fits before an ellipsis."""
        kept, used = [], self._advance(ELLIPSIS)
        for cluster in _CLUSTER.findall(text):
            used += self._advance(cluster)
            if used > width:
                break
            kept.append(cluster)
        while (
            kept and self._advance("".join(kept).rstrip() + ELLIPSIS) > width
        ):  # letters that join are not as wide as they are alone
            kept.pop()
        return "".join(kept).rstrip() + ELLIPSIS

    def _advance(self, text: str) -> float:
        return _width(text) * self.size / UNITS


def plain(text: str) -> str:
    """A text on one line, without characters that order others about."""
    return " ".join(_ORDERS.sub("", text).split())


@lru_cache(maxsize=65_536)
def _width(text: str) -> int:
    return _shape(text).width


@lru_cache(maxsize=1_024)
def _shape(text: str) -> _Shaped:
    glyphs, x = [], 0
    language = next((name for name, letters in _EAST_ASIAN.items() if letters.search(text)), None)
    for face, level, run in _in_order_of_sight(_runs(text)):
        buffer = hb.Buffer()
        buffer.add_str(run)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if level % 2 else "ltr"
        if language:
            buffer.language = language
        hb.shape(face.font, buffer)
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            glyphs.append(
                _Glyph(face.font, info.codepoint, x + position.x_offset, position.y_offset)
            )
            x += position.x_advance
    return _Shaped(tuple(glyphs), x)


def _runs(text: str) -> list[tuple[Face, int, str]]:
    """The parts of a text that have one font and one direction, in the order they are read in."""
    levels, place, before = _levels(text), 0, None
    clusters = []
    for cluster in _CLUSTER.findall(text):
        before = face_of(cluster, before)
        clusters.append((before, levels[place], cluster))
        place += len(cluster)
    grouped = groupby(clusters, key=lambda part: (id(part[0]), part[1]))
    return [
        (parts[0][0], parts[0][1], "".join(part[2] for part in parts))
        for _, group in grouped
        if (parts := list(group))
    ]


def _levels(text: str) -> list[int]:
    """How deep each character is nested in texts of the other direction: odd levels run from right
    to left.
    """
    if not _RIGHT_TO_LEFT.search(text):
        return [0] * len(text)
    storage = algorithm.get_empty_storage()
    storage["base_level"] = algorithm.get_base_level(text)
    storage["base_dir"] = "LR"[storage["base_level"]]
    text = "".join(
        char if bidirectional(char) else "a" for char in text
    )  # what Unicode has no letter for has no direction either
    algorithm.get_embedding_levels(text, storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, debug=False)
    algorithm.resolve_implicit_levels(storage, debug=False)
    found = iter(storage["chars"])
    levels: list[int] = []
    for char in text:
        is_left_out = bidirectional(char) in algorithm.X9_REMOVED
        levels.append(
            (levels[-1] if levels else storage["base_level"])
            if is_left_out
            else next(found)["level"]
        )
    return levels


def _in_order_of_sight(runs: Sequence[tuple[Face, int, str]]) -> list[tuple[Face, int, str]]:
    """Runs from left to right (rule L2 of Unicode's annex 9): from the deepest level up, what is
    at least that deep is turned round.
    """
    ordered = list(runs)
    for level in range(max((run[1] for run in runs), default=0), 0, -1):
        ordered = [
            run
            for is_deep, group in groupby(ordered, key=lambda run: run[1] >= level)
            for run in (reversed(list(group)) if is_deep else group)
        ]
    return ordered
