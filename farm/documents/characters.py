"""Naming characters that a person cannot see, or would not notice."""

import re
import unicodedata

_BEGINNING = re.compile(r"[^\S\n]*(-[^\S\n]*)*([\w.-]+:)?")
_NAMES = {
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a carriage return",
    "\0": "a null character",
    "\ufeff": "a byte order mark",
}


def character_name(char: str) -> str:
    """A character as a sentence names it: itself if it can be seen, else its name with its
    number.
    """
    if char.isprintable() and not char.isspace():
        return char
    unnamed = "lone surrogate" if unicodedata.category(char) == "Cs" else "control character"
    name = _NAMES.get(char) or f"a {unicodedata.name(char, unnamed).lower()}"
    return f"{name} (U+{ord(char):04X})"


def unprintable(text: str) -> str | None:
    """The first character of a text that a terminal or a file format could take for an order, as a
    sentence names it with its place.
    """
    for place, char in enumerate(text, 1):
        if (
            unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"
        ):  # lone surrogates cannot be written at all
            return (
                f"{character_name(char)}, at character {place}, which cannot be printed: remove it"
            )
    return None


def is_odd_space(char: str) -> bool:
    """Whether a character looks like a space or like nothing, and is not a plain space."""
    return char != " " and (char.isspace() or unicodedata.category(char) in ("Cf", "Zs"))


def odd_indentation(line: str) -> str | None:
    """The character that stands for a plain space at the beginning of a YAML line, or behind its
    key or hyphen, and is not one.
    """
    found = _BEGINNING.match(line)
    assert found is not None
    return next((char for char in line[: found.end() + 1] if is_odd_space(char)), None)
