"""Tokenizers of any form, opened without torch: whether one has a vocabulary, and how many tokens
a text has.

A `tokenizer.json` is opened by the library of that name, in milliseconds. The other forms
(`vocab.json` with `merges.txt`, `vocab.txt`, sentencepiece and tiktoken files) are read by the
class of transformers that workers load, so that both count alike. The tokenizers of transformers
load no torch; its AutoTokenizer and its processors do, and are never asked for here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import tokenizers

from actors.models.family import Reader
from actors.models.model_files import components_of, read_json, require_file, shown
from actors.models.source import text_in
from storage.errors import RequestError

VOCABULARIES = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.codes", "*.tokenizer")
"""What a tokenizer's files are called, in any form that transformers reads."""
TOKENIZER_JSON = "tokenizer.json"
_CONFIG = "tokenizer_config.json"
# Files that stand beside a vocabulary and are none.
_NOT_VOCABULARIES = {
    _CONFIG, "special_tokens_map.json", "added_tokens.json", "config.json",
    "generation_config.json", "chat_template.json",
    "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
    "README.txt",
}  # fmt: skip
_CLASS = re.compile(r"(?!Auto)\w+Tokenizer(Fast)?")
_LEAST_WORDS = 2  # T5's class makes up a vocabulary of one word, the space, if it finds none
_MARKS = 5  # one that begins all, and those around an instruction and around the prompt
_NO_LIMIT = 10**9  # transformers writes 10**30 if there is none


Ids = Callable[[Sequence[str]], Sequence[Sequence[int]]]
"""The numbers of each text's tokens."""


@dataclass(frozen=True)
class TextTokenizer:
    """An open tokenizer: what it makes of texts, begin and end marks included, never cut off or
    padded.
    """

    max_length: int | None
    """How many tokens its config says that the text encoder reads; None if it does not say."""
    largest: int
    """The largest number of a word: the text encoder needs a row for each. Special tokens may have
    larger ones.
    """
    ids: Ids

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        return self.counts([text])[0]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each of some texts has."""
        return [len(ids) for ids in self.ids(texts)]


def room_of(reader: Reader, tokenizer: TextTokenizer) -> int | None:
    """How many tokens a prompt may have for a reader; None if nothing says it."""
    room = reader.tokens or tokenizer.max_length
    if room is None or reader.instruction is None:
        return room
    return room - tokenizer.count(text_in(reader.instruction)) - _MARKS


def is_tokenizer(component: str, kind: str) -> bool:
    """Whether a component of that name and class reads text. Some pipelines call a processor their
    tokenizer.
    """
    return "tokenizer" in component or kind.endswith(("Tokenizer", "TokenizerFast"))


def open_tokenizer(name: str, folder: Path, component: str) -> TextTokenizer | None:
    """The tokenizer in a component that the index of the model `name` names; None if only a worker
    can open its vocabulary.

    Raises RequestError, with a sentence about the model, if it is missing, damaged, or has no
    vocabulary: transformers makes one up of special tokens alone, with which every prompt is the
    same.
    """
    _, kind = components_of(name, folder)[component]
    own = folder / component
    if not own.is_dir():
        raise RequestError(
            f"The model {name} cannot be used: its tokenizer {component}/ is missing."
        )
    files = tuple(sorted(path for pattern in VOCABULARIES for path in own.glob(pattern)))
    for path in files:
        require_file(path, name)
    seen = [path.stat() for path in files]
    return _opened(
        name, own, kind, files, tuple((s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in seen)
    )


@lru_cache(maxsize=8)  # those of two or three models; a large one takes 100 MB and a second
def _opened(
    name: str, own: Path, kind: str, files: Sequence[Path], _identity: Sequence[Any]
) -> TextTokenizer | None:
    config = read_json(own / _CONFIG, name) if own / _CONFIG in files else {}
    if own / TOKENIZER_JSON in files:
        return _from_json(name, own / TOKENIZER_JSON, _length(config.get("model_max_length")))
    found = _class_of(kind, config)
    if found is not None:
        return _from_transformers(name, own, found, files)
    if all(path.name in _NOT_VOCABULARIES for path in files):
        raise _without_vocabulary(name, own, files, [])
    return None


def _from_json(name: str, path: Path, max_length: int | None) -> TextTokenizer:
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing more precise
        raise _unreadable(name, path, exc) from exc
    words = _words(
        backend.get_vocab(with_added_tokens=False),
        {token.content for token in backend.get_added_tokens_decoder().values()},
    )
    if len(words) < _LEAST_WORDS:
        raise _without_vocabulary(name, path.parent, [path], [])
    return TextTokenizer(max_length, max(words.values()), _whole(backend))


def _from_transformers(name: str, own: Path, kind: Any, files: Sequence[Path]) -> TextTokenizer:
    expected = [file for file in kind.vocab_files_names.values() if file != TOKENIZER_JSON]
    try:
        tokenizer = kind.from_pretrained(str(own), local_files_only=True)
        vocabulary = tokenizer.get_vocab()
    except Exception as exc:  # each class, and each library behind it, has errors of its own
        if all(path.name in _NOT_VOCABULARIES for path in files):
            raise _without_vocabulary(name, own, files, expected) from exc
        raise _unreadable(
            name, own, exc, lacks=[file for file in expected if own / file not in files]
        ) from exc
    words = _words(vocabulary, {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()})
    if len(words) < _LEAST_WORDS:
        raise _without_vocabulary(name, own, files, expected)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # The tokenizer itself may not be called by two threads at a time.
    ids = (
        (lambda texts: tokenizer(list(texts), verbose=False).input_ids)
        if backend is None
        else _whole(backend)
    )
    return TextTokenizer(_length(tokenizer.model_max_length), max(words.values()), ids)


def _whole(backend: tokenizers.Tokenizer) -> Ids:
    """The numbers of texts, whole: a file keeps what its training last did, and cut-off texts
    would hide just what is looked for.
    """
    backend.no_truncation()
    backend.no_padding()
    return lambda texts: [encoding.ids for encoding in backend.encode_batch(list(texts))]


def _class_of(kind: str, config: Mapping[str, Any]) -> Any | None:
    """The class of transformers that opens a tokenizer: the model's own, or the one that the
    config of a processor names.
    """
    # takes a third of a second, and most tokenizers are a tokenizer.json
    import transformers  # noqa: PLC0415

    for wanted in (kind, str(config.get("tokenizer_class"))):
        found = getattr(transformers, wanted, None) if _CLASS.fullmatch(wanted) else None
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedTokenizerBase):
            return found
    return None


def _words(vocabulary: Mapping[str, int], special: set[str]) -> dict[str, int]:
    return {word: number for word, number in vocabulary.items() if word not in special}


def _without_vocabulary(
    name: str, own: Path, files: Iterable[Path], expected: Sequence[str]
) -> RequestError:
    found = ", ".join(path.name for path in files) or "nothing"
    return RequestError(
        f"The model {name} has a tokenizer without a vocabulary, with which every prompt would be"
        f" the same: {own.name}/ has {found}, and no words. It needs a whole"
        f" {' with '.join(expected) + ', or a ' if expected else ''}{TOKENIZER_JSON}."
    )


def _unreadable(name: str, path: Path, exc: Exception, lacks: Sequence[str] = ()) -> RequestError:
    place = f"{path.name}/" if path.is_dir() else shown(path)
    reason = " ".join(str(exc).replace(str(path), path.name).split())[:200] or type(exc).__name__
    fault = f"{place} lacks {' and '.join(lacks)}" if lacks else f"{place} is damaged or not whole"
    return RequestError(
        f"The model {name} has a tokenizer that cannot be opened: {fault} ({reason})."
    )


def _length(value: object) -> int | None:
    return (
        int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _NO_LIMIT
        else None
    )
