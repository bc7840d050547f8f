"""Tokenizers of every form, small: `write(folder, "sentencepiece")` leaves the files that a hub
model of that form has.
"""

import io
import json
import shutil
import string
from functools import cache
from pathlib import Path

import sentencepiece

from actors.models.models import SEEDLING

_WORDS = "a red mug on a beach at sunset product photo of a blue bottle beside a green chair"


def write(folder: Path, form: str, *, max_length: int | None = None) -> Path:
    """Write a tokenizer of that form into a folder, which holds nothing else afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files(form).items():
        (folder / name).write_bytes(content)
    if max_length is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": max_length}))
    return folder


def files(form: str) -> dict[str, bytes]:
    own = (SEEDLING / "tokenizer" / "tokenizer.json").read_bytes()
    model = json.loads(own)["model"]
    merges = "#version: 0.2\n" + "\n".join(
        merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]
    )
    match form:
        case "json":
            return {"tokenizer.json": own}
        case "vocab and merges":
            return {
                "vocab.json": json.dumps(model["vocab"]).encode(),
                "merges.txt": merges.encode(),
            }
        case "spiece":
            return {"spiece.model": pieces("unigram")}
        case "sentencepiece":
            return {"tokenizer.model": pieces("bpe")}
        case "sentencepiece.bpe":
            return {"sentencepiece.bpe.model": pieces("unigram")}
        case "words":
            marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            letters = [
                *string.ascii_lowercase,
                *(f"##{letter}" for letter in string.ascii_lowercase),
            ]
            return {"vocab.txt": "\n".join([*marks, *letters]).encode()}
        case "config alone":
            return {"tokenizer_config.json": b'{"model_max_length": 48}'}
        case "nothing":
            return {}
    raise ValueError(form)


@cache
def pieces(kind: str) -> bytes:
    """A sentencepiece model of the letters and a few words, with T5's numbers for its marks."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"{_WORDS} {' '.join(string.printable.strip())}"] * 20),
        model_writer=out, model_type=kind, vocab_size=120,
        pad_id=0, eos_id=1, unk_id=2, bos_id=3 if kind == "bpe" else -1, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    return out.getvalue()
