"""Syntax of other tools in prompts: the farm would paint it as words, so each kind is found and
named with what to write instead.

Single parentheses around words are no fault: elsewhere they are emphasis, but in plain English
they are punctuation.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_CLOSES = {")": "(", "]": "[", "}": "{"}
_PLAIN_FORMS = str.maketrans(
    {"（": "(", "）": ")", "：": ":"}
)  # an input method for Chinese or Japanese writes these
# characters between brackets: deep nests of long texts would take the square of their length
_LOOKED_AT = 500
_NUMBER = r"(?:\d{1,9}(?:[.,]\d{0,9})?|[.,]\d{1,9})"

_WEIGHT = re.compile(rf":\s{{0,9}}[-+]?(?P<weight>{_NUMBER})\s{{0,9}}$")
_AFTER = re.compile(r"(?:\++|-{2,9}|\d{0,9}\.\d{1,9})(?=[\s,.;)]|$)|\.(?:and|blend)\(")
_FLAG = re.compile(
    r"(?<![^\s,])--(?P<name>[A-Za-z][A-Za-z_-]{0,40})(?=[\s=,]|$)"
    r"(?P<value>[\s=]+[\d.][\w.:]{0,20})?"
)
_DASHED_FLAG = re.compile(
    r"(?<![^\s,])[\u2013\u2014](?P<name>ar|aspect|stylize|chaos|seed|iw|sref|cref|v|s|q|w|c)"
    r"(?P<value>\s+[\d.][\w.:]{0,20})"
)
_ALONE = re.compile(r"(?:^|,)\s{0,99}(\([^()]{1,800}\))(?=\s{0,99}(?:,|$))")
_SHOUTED = re.compile(r"(?<![\w\"'\u201c\u2018-])(?:BREAK|AND)(?![\w\"'\u201d\u2019-])")


EMPHASES = frozenset(
    {
        "an emphasis of other tools",
        "a weaker emphasis of other tools",
        "a weight of other tools",
    }
)
"""The kinds of syntax that say how much some words count."""


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """Characters of a text that mean something to another tool."""

    start: int
    stop: int
    kind: str
    """What it is elsewhere."""
    instead: str
    """What to write, as the end of a sentence."""

    @property
    def is_emphasis(self) -> bool:
        return self.kind in EMPHASES

    def sentence(self, text: str) -> str:
        """The whole sentence; `text` is where it was found."""
        written = text[self.start : self.stop]
        what = f"{_short(written)} is {self.kind}, and would be painted as words here"
        key = "emphasis" if self.is_emphasis else "syntax"
        return f"{what}: {self.instead}, or `{key}: literal` if it is meant as it stands."


@dataclass(frozen=True)
class _Kind:
    pattern: re.Pattern[str]
    name: str
    instead: str | Callable[[re.Match[str]], str]


def find_syntax(text: str) -> list[Syntax]:
    """All syntax of other tools in a text, from its start; of what stands one within the other,
    the outer.
    """
    return _outer(_all_syntax(text))


def find_other_syntax(text: str) -> list[Syntax]:
    """The same without emphasis."""
    return _outer(syntax for syntax in _all_syntax(text) if not syntax.is_emphasis)


def _all_syntax(text: str) -> Iterator[Syntax]:
    plain = text.translate(_PLAIN_FORMS)
    yield from _in_pairs(plain)
    yield from _by_pattern(plain)
    yield from _shouted(plain)
    yield from _flags(plain)


def _outer(found: Iterable[Syntax]) -> list[Syntax]:
    outer: list[Syntax] = []
    for syntax in sorted(found, key=lambda one: (one.start, -one.stop)):
        if not outer or syntax.start >= outer[-1].stop:
            outer.append(syntax)
    return outer


def find_parentheses(text: str) -> list[Syntax]:
    """Words in parentheses that stand alone between commas: most likely an emphasis, while "a mug
    (a red one)" is plain English.
    """
    return [
        Syntax(
            start=match.start(1),
            stop=match.end(1),
            kind="an emphasis of other tools",
            instead="leave the parentheses out",
        )
        for match in _ALONE.finditer(text.translate(_PLAIN_FORMS))
        if match[1][1:-1].strip()
    ]


may_hold_syntax = re.compile(
    r"[()\[\]{}<>\\（）]|__|::|\+\+|--|[\u2013\u2014]|BREAK|AND|ADD|(?i:embedding:)"
).search
"""Whether a text has any characters that syntax is made of: a quick look before the long one."""


# --- parentheses, brackets and braces ---


def _in_pairs(text: str) -> Iterator[Syntax]:
    for start, stop in _pairs(text):
        if stop - start < _LOOKED_AT and not text[start + 1 : stop - 1].strip():
            continue
        match text[start]:
            case "(":
                yield from _parenthesis(text, start, stop)
            case "[":
                yield _bracket(text, start, stop)
            case "{":
                yield _brace(text, start, stop)


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """The places at which brackets of each kind open, and at which the text goes on after they
    close. One pass finds them, however deep they are nested.
    """
    opened: dict[str, list[int]] = {"(": [], "[": [], "{": []}
    for match in re.finditer(r"[()\[\]{}]", text):
        mark, place = match[0], match.start()
        if place and text[place - 1] == "\\":
            continue
        if mark in opened:
            opened[mark].append(place)
        elif opened[_CLOSES[mark]]:
            yield opened[_CLOSES[mark]].pop(), place + 1


def _parenthesis(text: str, start: int, stop: int) -> Iterator[Syntax]:
    after = _AFTER.match(text, stop)
    if after is not None:
        yield Syntax(
            start=start, stop=after.end(), kind="an emphasis of other tools", instead=_SAY_IT
        )
        return
    tail = max(start + 1, stop - 40)
    weight = _WEIGHT.search(text[tail : stop - 1])
    is_weighted = weight is not None and not _is_ratio(text[tail : tail + weight.start()])
    if is_weighted or _is_doubled(text, start, stop):
        yield Syntax(start=start, stop=stop, kind="an emphasis of other tools", instead=_SAY_IT)


def _is_doubled(text: str, start: int, stop: int) -> bool:
    return text[start + 1 : start + 9].lstrip().startswith("(") and text[
        max(start, stop - 9) : stop - 1
    ].rstrip().endswith(")")


def _is_ratio(before: str) -> bool:
    """Whether what stands before a colon and a number is a number too, as in (scale 1:10), (at
    12:30) or (f/1:2.8).
    """
    return re.search(r"(?:^|[\s(,;/])\d+$", before) is not None


def _bracket(text: str, start: int, stop: int) -> Syntax:
    inner = text[start + 1 : min(stop - 1, start + _LOOKED_AT)]
    if "|" in inner:
        kind, instead = "a change of words between steps in other tools", _MAKE_AN_AXIS
    elif re.search(r":\s{0,9}[\d.]{1,9}\s{0,9}$", text[max(start + 1, stop - 40) : stop - 1]):
        kind, instead = (
            "a change of words at a step in other tools",
            "write the words that all steps should read",
        )
    else:
        kind, instead = "a weaker emphasis of other tools", "leave the brackets out"
    return Syntax(start=start, stop=stop, kind=kind, instead=instead)


def _brace(text: str, start: int, stop: int) -> Syntax:
    inner = text[start + 1 : min(stop - 1, start + _LOOKED_AT)]
    begin = start - 1 if start and text[start - 1] == "$" else start
    if "|" in inner or "$$" in inner:
        return Syntax(
            start=begin,
            stop=stop,
            kind="a choice between words in other tools",
            instead=_MAKE_AN_AXIS,
        )
    if re.fullmatch(r"\s*[A-Za-z_]\w*\s*", inner):
        return Syntax(start=begin, stop=stop, kind=FIELD, instead=NO_FIELD)
    return Syntax(
        start=begin, stop=stop, kind="an emphasis of other tools", instead="leave the braces out"
    )


FIELD = "a field in other tools"
NO_FIELD = "only templates have fields, so put what stands before it and after it into two columns"
_SAY_IT = "say in words how strong it should be"
_MAKE_AN_AXIS = (
    "make an axis of the words, `vary: {NAME: [ONE, OTHER]}`, and write {NAME} in the template"
)

# --- words with marks around them ---


def _adapter(match: re.Match[str]) -> str:
    scale = re.search(rf":\s{{0,9}}(-?{_NUMBER})\s{{0,9}}$", match["rest"])
    return f"name the file, `adapters: [{{lora: FILE, scale: {scale[1] if scale else '1.0'}}}]`"


def _wildcard(match: re.Match[str]) -> str:
    word = re.sub(r"\W+", "_", match["name"]).strip("_") or "NAME"
    return (
        f"make an axis of its words, `vary: {{{word[:40]}: [ONE, OTHER]}}`, and write"
        f" {{{word[:40]}}} in the template"
    )


_NO_EMBEDDINGS = (
    "leave it out, for textual inversions are not supported, or name a LoRA under `adapters`"
)
_KINDS = (
    _Kind(
        re.compile(
            r"<\s{0,9}(?:lora|lyco|locon|loha)\s{0,9}:(?P<rest>[^<>]{1,500})>", re.IGNORECASE
        ),
        "an adapter in other tools",
        _adapter,
    ),
    _Kind(
        re.compile(r"<\s{0,9}hypernet\w{0,9}\s{0,9}:[^<>]{1,500}>", re.IGNORECASE),
        "a hypernetwork in other tools",
        "leave it out, for there is no support for them",
    ),
    _Kind(
        re.compile(r"<\s{0,9}embed\w{0,9}\s{0,9}:[^<>]{1,500}>", re.IGNORECASE),
        "a textual inversion in other tools",
        _NO_EMBEDDINGS,
    ),
    _Kind(
        re.compile(
            r"<\s{0,9}(?:random|wildcard|alternate|wc)(?:\[[^\[\]<>]{0,99}\])?"
            r"\s{0,9}:[^<>]{1,500}>",
            re.IGNORECASE,
        ),
        "a choice between words in other tools",
        _MAKE_AN_AXIS,
    ),
    _Kind(
        re.compile(
            r"<\s{0,9}[A-Za-z]\w{0,40}(?:\[[^\[\]<>]{0,99}\])?\s{0,9}:[^<>\s][^<>]{0,500}>"
        ),
        "an instruction to other tools",
        "leave it out",
    ),
    _Kind(
        re.compile(r"<\|[^<>|\n]{1,99}\|>|</?s>|<(?:pad|eos|bos|unk|mask)>"),
        "a mark of text encoders",
        "leave it out",
    ),
    _Kind(
        re.compile(r"(?<!\w)embedding:[^\s,()]+", re.IGNORECASE),
        "a textual inversion in other tools",
        _NO_EMBEDDINGS,
    ),
    _Kind(
        re.compile(r"(?<!\w)__(?P<name>[^\W_][\w*/.~-]{0,98}?|[*~][\w*/.~-]{0,98}?)__(?!\w)"),
        "a wildcard of other tools",
        _wildcard,
    ),
    _Kind(
        re.compile(r"(?<!\w)ADD(?:COMM|BASE|COL|ROW)(?!\w)"),
        "a separator of regions in other tools",
        "leave it out",
    ),
    _Kind(
        re.compile(
            r"(?<!\w)(?:STYLE|I?MASK|AREA|COUPLE|FEATHER|MASK_SIZE|MASKW|SHIFT|NOISE|ALT|ATTN|FILL"
            r"|SDXL|TE_WEIGHT|AVG|COMBINE)\((?=[^()]{0,200}\))"
        ),
        "an instruction to other tools",
        "leave it out",
    ),
    _Kind(
        re.compile(r"[\"')]\.swap\(|(?<=\w)\.swap\("),
        "a change of words in other tools",
        "write the words that should be read",
    ),
    _Kind(
        re.compile(
            rf"(?<=[^\s:])::\s{{0,9}}-?{_NUMBER}(?=[\s,]|$)|(?<=[^\s:])::(?=\s|$)"
            rf"|(?<![\w:.]){_NUMBER}::(?=\S)"
        ),
        "a weight of other tools",
        _SAY_IT,
    ),
    _Kind(
        re.compile(r"(?<![\w+])[^\W\d_]\w{1,99}\+{2,9}(?=[\s,.;:)]|$)"),
        "an emphasis of other tools",
        _SAY_IT,
    ),
    _Kind(
        re.compile(r"\\[()\[\]{}<>]"),
        "a plain bracket in other tools",
        "write it without the backslash",
    ),
)


def _by_pattern(text: str) -> Iterator[Syntax]:
    for kind in _KINDS:
        for match in kind.pattern.finditer(text):
            instead = kind.instead if isinstance(kind.instead, str) else kind.instead(match)
            yield Syntax(start=match.start(), stop=match.end(), kind=kind.name, instead=instead)


# --- words in capitals, flags ---


def _shouted(text: str) -> Iterator[Syntax]:
    """BREAK and AND, but not among other words in capitals, which are what a sign or a label
    says.
    """
    for match in _SHOUTED.finditer(text):
        around = [
            *text[max(0, match.start() - 60) : match.start()].split()[-1:],
            *text[match.end() : match.end() + 60].split()[:1],
        ]
        words = [word for word in around if any(c.isalpha() for c in word)]
        if words and all(word.isupper() for word in words):
            continue
        kind, instead = (
            ("a blend of two prompts in other tools", "write `and`")
            if match[0] == "AND"
            else ("a break between parts of a prompt in other tools", "write a comma")
        )
        yield Syntax(start=match.start(), stop=match.end(), kind=kind, instead=instead)


def _flags(text: str) -> Iterator[Syntax]:
    for pattern in (_FLAG, _DASHED_FLAG):
        for match in pattern.finditer(text):
            name = match["name"].replace("-", "_").lower()
            if name.endswith("_"):  # a dash on both sides of a word is punctuation
                continue
            kind, instead = "a flag of other tools", _FLAGS.get(name, "leave it out")
            yield Syntax(start=match.start(), stop=match.end(), kind=kind, instead=instead)


_FLAGS = {
    **dict.fromkeys(
        ("ar", "aspect", "width", "height", "w", "h", "size"),
        "write `settings: {size: WIDTHxHEIGHT}`",
    ),
    **dict.fromkeys(("no", "negative_prompt", "negative", "neg"), "write it under `negative`"),
    **dict.fromkeys(("seed", "sameseed"), "write it under `seeds`"),
    **dict.fromkeys(("steps", "ddim_steps", "sampling_steps"), "write `settings: {steps: N}`"),
    **dict.fromkeys(
        ("cfg", "cfg_scale", "scale", "guidance", "guidance_scale"),
        "write `settings: {guidance: N}`",
    ),
    **dict.fromkeys(
        ("sampler", "sampler_name", "sampler_index", "scheduler"),
        "write `settings: {scheduler: NAME}`",
    ),
    **dict.fromkeys(
        ("n_iter", "batch_count", "repeat", "r", "batch_size"), "write `seeds: {count: N}`"
    ),
    **dict.fromkeys(("iw", "cref", "sref", "oref", "image"), "write `reference: {image: FILE}`"),
    **dict.fromkeys(
        ("v", "version", "niji", "model", "sd_model", "ckpt"), "name the model under `model`"
    ),
    "prompt": "write it under `prompt`",
}


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"
