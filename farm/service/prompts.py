"""Whether a model can read a campaign's prompts to their end. It would silently cut off the end of
a prompt that is too long.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path

from actors.models.model_files import components_of
from actors.models.tokenizers import TextTokenizer, open_tokenizer, room_of
from farm.campaign.expansion import Expansion
from farm.campaign.prompt_texts import Count, PromptTexts
from farm.documents.document import DocumentError, Problem
from farm.documents.parsed import Path_

MAX_MEASURED = 20_000
"""Distinct texts that are measured, of prompts and of negatives each. A second's work on one core
for CLIP's tokenizer.
"""
_AT_ONCE = 1_000
_MANY = 100
_SURE_TO_FIT = 8  # tokens that an encoder adds around a text, and more


def check_prompts(expansion: Expansion) -> None:
    """Raise DocumentError for each prompt or negative that is empty, or has more tokens than the
    model's text encoder reads, at the value that makes it so. Texts of skipped shots alone are not
    looked at.

    Every distinct text is measured. If there are more than MAX_MEASURED, those are whose parts
    have the most tokens. A worker looks again at every prompt it paints. What only a worker can
    open is left to that look.
    """
    texts = [PromptTexts(expansion, key) for key in ("prompt", "negative")]
    problems = list(islice(_empty(texts[0]), _MANY))
    for each in texts:
        problems += islice(_taken_out(each, expansion.family.taken_out), _MANY)
    reader = _reader(expansion)
    if reader is not None:
        tokenizer, room = reader
        for each in texts:
            problems += islice(_too_long(each, tokenizer.counts, room), _MANY)
    if problems:
        raise DocumentError(problems)


def _empty(texts: PromptTexts) -> Iterator[Problem]:
    """Prompts that no word is left of, where a template is made of fields alone and they may be
    nothing.
    """
    if texts.frame.strip():
        return
    for cell in product(*texts.blanks):
        if texts.is_painted(cell):
            yield Problem(
                texts.path(cell, [0] * len(cell)),
                "the prompt is empty here: write what should be painted.",
            )


def _taken_out(texts: PromptTexts, words: Sequence[str]) -> Iterator[Problem]:
    """Texts with words that the model's pipeline would take out of them."""
    weights = texts.weights(lambda some: [sum(map(text.count, words)) for text in some])
    told: set[Path_] = set()
    for cell in islice(texts.heaviest(weights) if words else (), MAX_MEASURED):
        found = next((word for word in words if word in texts.text(cell)), None)
        if found is None or not texts.is_painted(cell):
            continue
        own = [of_axis[k] for of_axis, k in zip(weights, cell, strict=True)]
        path = texts.path(cell, own) if any(own) else (texts.key,)
        if path not in told:
            told.add(path)
            yield Problem(
                path, f"{found} has a meaning for this model, which would not read it: remove it."
            )


def _too_long(texts: PromptTexts, count: Count, room: int) -> Iterator[Problem]:
    weights = texts.weights(count)
    lightest = tuple(of_axis.index(min(of_axis)) for of_axis in weights)
    of_frame, least = count([texts.frame, texts.text(lightest)])
    told: set[Path_] = set()
    cells = islice(
        texts.cells() if texts.total <= MAX_MEASURED else texts.heaviest(weights), MAX_MEASURED
    )
    while some := {cell: texts.text(cell) for cell in islice(cells, _AT_ONCE)}:
        doubtful = [
            cell
            for cell, text in some.items()
            if not (text.isascii() and len(text) + _SURE_TO_FIT <= room)
        ]
        for cell, tokens in zip(doubtful, count([some[cell] for cell in doubtful]), strict=True):
            if tokens <= room or not texts.is_painted(cell):
                continue
            own = [of_axis[k] for of_axis, k in zip(weights, cell, strict=True)]
            is_the_templates = not own or (
                least > room and of_frame >= max(own)
            )  # no value is to blame
            path = (texts.key,) if is_the_templates else texts.path(cell, own)
            if path not in told:
                told.add(path)
                grows = f"it grows to {tokens} tokens and the model reads {room}: shorten it."
                yield Problem(
                    path,
                    (
                        grows
                        if is_the_templates
                        else f"too long in the {texts.key}: {grows}{texts.others(cell, path)}"
                    ),
                )


def _reader(expansion: Expansion) -> tuple[TextTokenizer, int] | None:
    """The tokenizer that decides how long a prompt may be, with what it has room for; as the
    worker chooses it.
    """
    name, folder = expansion.model.name, Path(expansion.model.folder)
    present = components_of(name, folder)
    for reader in expansion.family.readers:
        if reader.tokenizer in present:
            tokenizer = open_tokenizer(name, folder, reader.tokenizer)
            room = tokenizer and room_of(reader, tokenizer)
            return (tokenizer, room) if tokenizer and room else None
    return None
