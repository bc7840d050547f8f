"""The fonts that text is drawn with: those that come with the farm, and for scripts that none of
them has, those of the machine.
"""

import os
import sys
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

import regex
import uharfbuzz as hb

UNITS = 1000
"""How many units of a shaped text are as long as its letters are large."""

_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
_SUFFIXES = {".ttf", ".otf", ".ttc"}
_LINUX = ("~/.local/share/fonts", "/usr/local/share/fonts", "/usr/share/fonts")
_FOLDERS = {
    "darwin": ("~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts"),
    "win32": ("~/AppData/Local/Microsoft/Windows/Fonts", "C:/Windows/Fonts"),
}
_REGULAR = 400.0
_OUTLINES = {"glyf", "CFF ", "CFF2"}
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_SHARED = regex.compile(r"[\p{Common}\p{Inherited}]+")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\uFE0F")


class Face:
    """A font file at its regular weight. Two threads may use it at a time: it is only read."""

    def __init__(self, path: Path) -> None:
        self._face = hb.Face(hb.Blob.from_file_path(str(path)))
        self.is_emoji = "Emoji" in path.name

    @cached_property
    def font(self) -> hb.Font:
        font = hb.Font(self._face)
        font.scale = (UNITS, UNITS)
        font.set_variations({"wght": _REGULAR})
        return font

    @cached_property
    def has_outlines(self) -> bool:
        """Whether its letters are shapes, not coloured pictures."""
        return bool(_OUTLINES.intersection(self._face.table_tags))

    def has(self, text: str) -> bool:
        """Whether it has every letter of a text that can be seen."""
        return all(ord(char) in self._letters for char in _INVISIBLE.sub("", text))

    @cached_property
    def _letters(self) -> hb.Set:
        return self._face.unicodes


def face_of(cluster: str, before: Face | None) -> Face:
    """The font for what a reader takes for one letter. Signs that all scripts share are drawn as
    the letter `before` them is.
    """
    if (
        before is not None
        and not before.is_emoji
        and _SHARED.fullmatch(cluster)
        and before.has(cluster)
    ):
        return before
    return _face_of(cluster)


@lru_cache(maxsize=20_000)
def _face_of(cluster: str) -> Face:
    """The first font that has it. What no font has is drawn as the box that the first one has for
    it.
    """
    faces = _faces()
    if _EMOJI.search(cluster):
        faces = tuple(sorted(faces, key=lambda face: not face.is_emoji))
    return next((face for face in faces if face.has(cluster)), None) or next(
        (face for face in _faces_of_the_machine() if face.has_outlines and face.has(cluster)),
        faces[0],
    )


@cache
def _faces() -> tuple[Face, ...]:
    """The fonts that come with the farm: first that of Latin, Greek and Cyrillic letters."""
    paths = [
        path
        for package in _PACKAGES
        for path in sorted(Path(str(files(package))).iterdir())
        if path.suffix in _SUFFIXES
    ]
    upright = [path for path in paths if "Italic" not in path.name]
    return tuple(
        Face(path)
        for path in sorted(upright, key=lambda path: not path.name.startswith("NotoSans["))
    )


@cache
def _faces_of_the_machine() -> tuple[Face, ...]:
    folders = _FOLDERS.get(sys.platform, _LINUX)
    found = (path for folder in folders for path in sorted(Path(folder).expanduser().rglob("*")))
    return tuple(
        Face(path)
        for path in found
        if path.suffix.lower() in _SUFFIXES and os.access(path, os.R_OK)
    )
