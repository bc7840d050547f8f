"""Whether a model can read a campaign's prompts to their end: what is too long would be cut off without a word."""

from pathlib import Path

from tokenizers import Tokenizer

from actors.models import read_json
from farm.axes import Scalar
from farm.document import DocumentError, Problem
from farm.expansion import Expansion
from farm.template import Template


def check_prompts(expansion: Expansion) -> None:
    """Raise DocumentError where the longest prompt or negative has more tokens than the model's text encoder reads.

    The longest is the one with each axis' longest value: one look, whatever the number of renders. A worker looks again at
    every prompt it paints. Models without a tokenizer.json are left to that look.
    """
    reader = _reader(expansion)
    if reader is None:
        return
    tokenizer, room = reader
    longest: dict[str, Scalar] = {}
    for axis in expansion.axes:
        lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch([axis.label(k) for k in range(len(axis.values))])]
        longest.update(axis.assignments(lengths.index(max(lengths))))
    for key in ("prompt", "negative"):
        text = Template(getattr(expansion.campaign, key)).fill(longest)
        tokens = len(tokenizer.encode(text).ids)
        if tokens > room:
            raise DocumentError(
                [Problem((key,), f"it grows to {tokens} tokens and the model reads {room}: shorten it, or the values in it.")]
            )


def _reader(expansion: Expansion) -> tuple[Tokenizer, int] | None:
    """The tokenizer that decides how long a prompt may be, with what it has room for; as the worker chooses it."""
    for reader in expansion.family.readers:
        folder = Path(expansion.model.folder) / reader.tokenizer
        if not folder.is_dir():
            continue
        if not (folder / "tokenizer.json").is_file():
            return None
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()  # files keep what their training last did, and that would hide just what is looked for
        tokenizer.no_padding()
        room = reader.tokens or read_json(folder / "tokenizer_config.json", expansion.model.name).get("model_max_length")
        return (tokenizer, int(room)) if isinstance(room, int | float) else None
    return None
