"""Whether a model can read a campaign's prompts to their end: what is too long would be cut off without a word."""

from pathlib import Path

from actors.model_files import components_of
from actors.tokenizers import TextTokenizer, open_tokenizer
from farm.axes import Scalar
from farm.document import DocumentError, Problem
from farm.expansion import Expansion
from farm.template import Template


def check_prompts(expansion: Expansion) -> None:
    """Raise DocumentError where the longest prompt or negative has more tokens than the model's text encoder reads.

    The longest is the one with each axis' longest value: one look, whatever the number of renders. A worker looks again at
    every prompt it paints. What only a worker can open is left to that look.
    """
    reader = _reader(expansion)
    if reader is None:
        return
    tokenizer, room = reader
    longest: dict[str, Scalar] = {}
    for axis in expansion.axes:
        lengths = tokenizer.counts([axis.label(k) for k in range(len(axis.values))])
        longest.update(axis.assignments(lengths.index(max(lengths))))
    for key in ("prompt", "negative"):
        text = Template(getattr(expansion.campaign, key)).fill(longest)
        tokens = tokenizer.count(text)
        if tokens > room:
            raise DocumentError(
                [Problem((key,), f"it grows to {tokens} tokens and the model reads {room}: shorten it, or the values in it.")]
            )


def _reader(expansion: Expansion) -> tuple[TextTokenizer, int] | None:
    """The tokenizer that decides how long a prompt may be, with what it has room for; as the worker chooses it."""
    name, folder = expansion.model.name, Path(expansion.model.folder)
    present = components_of(name, folder)
    for reader in expansion.family.readers:
        if reader.tokenizer in present:
            tokenizer = open_tokenizer(name, folder, reader.tokenizer)
            room = reader.tokens or (tokenizer and tokenizer.max_length)
            return (tokenizer, room) if tokenizer and room else None
    return None
