"""Tokenizers of every form, opened at submission: counted as workers count, refused if they have
no vocabulary. No torch here.
"""

import json
import os
import subprocess
import sys

import pytest
import transformers

from actors.models.tokenizers import open_tokenizer
from storage.errors import RequestError
from tests.tokenizer_files import files, pieces, write

FORMS = [
    ("CLIPTokenizer", "json"),
    ("CLIPTokenizer", "vocab and merges"),
    ("CLIPTokenizerFast", "vocab and merges"),
    ("Qwen2Tokenizer", "vocab and merges"),
    ("GPT2TokenizerFast", "vocab and merges"),
    ("T5Tokenizer", "spiece"),
    ("T5TokenizerFast", "spiece"),
    ("T5Tokenizer", "sentencepiece"),
    ("GemmaTokenizerFast", "sentencepiece"),
    ("LlamaTokenizer", "sentencepiece"),
    ("XLMRobertaTokenizer", "sentencepiece.bpe"),
    ("BertTokenizer", "words"),
    ("ByT5Tokenizer", "nothing"),  # its vocabulary is the bytes
]
TEXTS = ["a red mug on a beach", "Two blue bottles, 1.5 m tall", "", "z " * 300]


def model(tmp_path, kind, form, **more):
    """A model's folder with a tokenizer alone."""
    (tmp_path / "model_index.json").write_text(json.dumps({"tokenizer": ["transformers", kind]}))
    write(tmp_path / "tokenizer", form, **more)
    return tmp_path


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_every_form_is_opened_and_counted_as_a_worker_does(tmp_path, kind, form):
    folder = model(tmp_path, kind, form, max_length=None if form == "nothing" else 48)
    tokenizer = open_tokenizer("mine", folder, "tokenizer")
    workers = getattr(transformers, kind).from_pretrained(folder / "tokenizer")
    assert tokenizer.counts(TEXTS) == [
        len(workers(text, verbose=False).input_ids) for text in TEXTS
    ]
    assert tokenizer.max_length == (None if form == "nothing" else 48)
    first, second = tokenizer.ids(["a red mug", "two cups"])
    assert list(first) != list(second)


def test_no_form_needs_torch(tmp_path):
    folders = []
    for k, (kind, form) in enumerate(FORMS):
        (tmp_path / str(k)).mkdir()
        folders.append(str(model(tmp_path / str(k), kind, form)))
    program = (
        "import sys; from pathlib import Path; from actors.models.tokenizers import"
        " open_tokenizer\nfor folder in sys.argv[1:]: open_tokenizer('mine', Path(folder),"
        " 'tokenizer').count('a red mug')\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, *folders], check=False).returncode == 0


@pytest.mark.parametrize("form", ["config alone", "nothing"])
@pytest.mark.parametrize(
    "kind",
    [
        *dict.fromkeys(kind for kind, _ in FORMS[:-1]),
        "PreTrainedTokenizerFast",
        "AutoTokenizer",
        "OurProcessor",
    ],
)
def test_a_tokenizer_without_a_vocabulary_is_refused(tmp_path, kind, form):
    with pytest.raises(
        RequestError, match=r"The model mine has a tokenizer without a vocabulary.*tokenizer\.json"
    ):
        open_tokenizer("mine", model(tmp_path, kind, form), "tokenizer")


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("T5Tokenizer", {"spiece.model": b""}, "without a vocabulary"),
        ("T5Tokenizer", {"spiece.model": pieces("unigram")[:2000]}, "is damaged or not whole"),
        (
            "T5Tokenizer",
            {"spiece.model": b"version https://git-lfs.github.com/spec/v1\n"},
            "is damaged or not whole",
        ),
        ("T5Tokenizer", {"added_tokens.json": b'{"<extra_id_0>": 32099}'}, "without a vocabulary"),
        (
            "CLIPTokenizer",
            {"vocab.json": files("vocab and merges")["vocab.json"]},
            r"tokenizer/ lacks merges\.txt",
        ),
        (
            "CLIPTokenizer",
            {"merges.txt": files("vocab and merges")["merges.txt"]},
            r"tokenizer/ lacks vocab\.json",
        ),
        (
            "CLIPTokenizer",
            {"vocab.json": b'{"<|startoftext|>": 0, "<|endoftext|>": 1}', "merges.txt": b""},
            "without a vocabulary",
        ),
        (
            "CLIPTokenizer",
            {"special_tokens_map.json": b"{}", "tokenizer_config.json": b"{}"},
            r"vocab\.json with merges\.txt",
        ),
        ("CLIPTokenizer", {"tokenizer.json": b"{"}, r"tokenizer/tokenizer\.json is damaged"),
        ("CLIPTokenizer", {"tokenizer.json": b"{}"}, r"tokenizer/tokenizer\.json is damaged"),
        (
            "CLIPTokenizer",
            {**files("json"), "tokenizer_config.json": b"["},
            r"tokenizer_config\.json is not a JSON file",
        ),
        (
            "CLIPTokenizer",
            {**files("json"), "tokenizer_config.json": b"[]"},
            r"tokenizer_config\.json is not a JSON object",
        ),
        (
            "BertTokenizer",
            {"vocab.txt": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"},
            "without a vocabulary",
        ),
    ],
)
def test_a_damaged_tokenizer_is_a_sentence(tmp_path, kind, changes, words):
    folder = model(tmp_path, kind, "nothing")
    for name, content in changes.items():
        (folder / "tokenizer" / name).write_bytes(content)
    with pytest.raises(RequestError, match=words) as refused:
        open_tokenizer("mine", folder, "tokenizer")
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_processor_is_opened_by_the_class_that_its_config_names(tmp_path):
    folder = model(tmp_path, "PixtralProcessor", "vocab and merges")
    config = folder / "tokenizer" / "tokenizer_config.json"
    assert open_tokenizer("mine", folder, "tokenizer") is None  # a worker knows how
    config.write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    assert open_tokenizer("mine", folder, "tokenizer").count("a red mug") > 1


def test_a_link_that_leads_nowhere_and_a_pipe_are_sentences(tmp_path):
    folder = model(tmp_path, "CLIPTokenizer", "vocab and merges")
    (folder / "tokenizer" / "tokenizer.json").symlink_to("../../blobs/gone")
    with pytest.raises(
        RequestError, match=r"tokenizer/tokenizer\.json is a link that leads nowhere"
    ):
        open_tokenizer("mine", folder, "tokenizer")
    (folder / "tokenizer" / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer" / "spiece.model")
    with pytest.raises(RequestError, match=r"tokenizer/spiece\.model is not a file"):
        open_tokenizer("mine", folder, "tokenizer")
