"""Words that a brand does not want to read, found however they are written.

Before they are compared, both sides are folded: compatibility forms such as full-width letters
become plain ones, case and the accents of Latin, Greek and Cyrillic letters are dropped, and
characters that cannot be seen are removed. What is not a letter or a digit parts words, hyphens
too. Letters of other scripts that look alike stay different.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import regex

_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u0300-\u036f]+")
_PIECE = regex.compile(r"[\p{L}\p{N}\p{M}\p{Default_Ignorable_Code_Point}]+|.", regex.DOTALL)
_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+")
# Scripts that put no spaces between words: there, a phrase counts wherever it stands.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_BARRIER = "\ua66e" * 3
"""A word that stands for words which no banned phrase can use."""
_BARRIERS = regex.compile(rf"{_BARRIER}(\s+{_BARRIER})+")


def folded(text: str) -> str:
    """A text as words are compared, parted by single spaces."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKD", plain))
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", plain)))


@dataclass(frozen=True)
class Banned:
    """The banned phrases of a brand, in its own words."""

    phrases: tuple[str, ...]

    def find(self, text: str) -> list[str]:
        """The phrases that a text has, each as the brand writes it, in the brand's order."""
        if not self.phrases:
            return []
        words = folded(text)
        spaced, joined = f" {words} ", words.replace(" ", "")
        found = {
            phrase
            for word in set(words.split())
            for phrase, form in self._by_first_word.get(word, ())
            if f" {form} " in spaced
        } | {phrase for phrase, form in self._unspaced if form in joined}
        return [phrase for phrase in self.phrases if phrase in found]

    def essence(self, text: str) -> str:
        """A text that stands for this one wherever it is put beside others, with one word in the
        place of all that no phrase can use. So the essences of many values are few.
        """
        kept: list[str] = []
        for piece in _PIECE.findall(text):
            if form := folded(piece):
                kept.append(piece if self._may_use(form) else _BARRIER)
            else:
                kept.append("" if _UNSEEN.fullmatch(piece) else " ")
        return str(_BARRIERS.sub(_BARRIER, "".join(kept)))

    @cached_property
    def _folded(self) -> list[tuple[str, str]]:
        return [(phrase, form) for phrase in self.phrases if (form := folded(phrase))]

    @cached_property
    def _by_first_word(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for phrase, form in self._folded:
            found.setdefault(form.partition(" ")[0], []).append((phrase, form))
        return found

    @cached_property
    def _unspaced(self) -> list[tuple[str, str]]:
        return [
            (phrase, form.replace(" ", ""))
            for phrase, form in self._folded
            if _UNSPACED.search(form)
        ]

    @cached_property
    def _letters(self) -> str:
        return "\0".join(form for _, form in self._folded)

    def _may_use(self, word: str) -> bool:
        return any(part in self._letters for part in [word, *_UNSPACED.findall(word)])


def empty_phrases(phrases: Iterable[str]) -> list[int]:
    """The places of phrases in which there is no letter and no digit."""
    return [k for k, phrase in enumerate(phrases) if not folded(phrase)]
