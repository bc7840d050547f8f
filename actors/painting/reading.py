"""Whether the tokenizers of a pipeline cut a prompt off: they are looked at while the pipeline
uses them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Cut:
    """How many tokens a text has, and how many were read."""

    tokens: int
    room: int


@dataclass(frozen=True)
class _Read:
    """What one tokenizer made of one text; `cut` is None if it read all of it."""

    reader: str
    text: str
    cut: Cut | None


class Reading:
    """What the tokenizers of a pipeline have read since it was last cleared."""

    def __init__(self, components: dict[str, Any]) -> None:
        self._seen: list[_Read] = []
        for name, component in components.items():
            tokenizer = getattr(
                component, "tokenizer", component
            )  # some pipelines call a processor their tokenizer
            if isinstance(tokenizer, PreTrainedTokenizerBase):
                kind: Any = type(tokenizer)
                # An object's call is looked up in its class: so it gets one of its own, and stays
                # what it is to the pipeline.
                tokenizer.__class__ = _watched(kind)
                tokenizer._reading, tokenizer._reader = self, name

    def clear(self) -> None:
        self._seen.clear()

    def note(self, reader: str, text: str, tokens: int, room: int) -> None:
        self._seen.append(_Read(reader, text, Cut(tokens, room) if tokens > room else None))

    def cut_off(self, texts: Iterable[str]) -> tuple[str, Cut] | None:
        """The first of some texts of which no tokenizer has read all, with what the best of them
        has read.
        """
        for text in filter(None, texts):
            seen = [read for read in self._seen if text.strip().lower() in read.text.lower()]
            if seen and all(read.cut is not None for read in seen):
                return text, max((read.cut for read in seen if read.cut), key=lambda cut: cut.room)
        return None


@cache
def _watched(kind: type) -> type:
    """The same kind of tokenizer, which tells its Reading what it has read."""

    def call(self: Any, text: Any = None, *args: Any, **options: Any) -> Any:
        if options.get("truncation"):
            room = options.get("max_length") or self.model_max_length
            special = options.get("add_special_tokens", True)
            for one in [text] if isinstance(text, str) else text or []:
                whole = (
                    kind.__call__(self, one, add_special_tokens=special, verbose=False)
                    if isinstance(one, str)
                    else None
                )
                if whole is not None:
                    self._reading.note(self._reader, one, len(whole.input_ids), room)
        return kind.__call__(self, text, *args, **options)

    return type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})
