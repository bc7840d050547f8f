"""What the embedded model reads: captions of drawn pictures, and the tokenizer that is made from
them.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from actors.seedling.scenes import BACKDROPS, COLORS, FLAWS, PRODUCTS, Subject

MAX_TOKENS = 48
ENDINGS = ("", ", product photo", ", studio quality photo", ", photograph", ", advertising shot")
# Words that campaigns use often and that no drawn caption has: known as whole words, they cost one
# token each.
EXTRA_WORDS = (
    "blurry noise noisy texture logo text style clean soft light plain brand photo of and with"
    " no the"
)


def random_subject(rng: np.random.Generator) -> Subject:
    """Any product, colour and backdrop; two in five carry a flaw, and few of these two."""
    count = int(rng.choice((0, 1, 2), p=(0.60, 0.34, 0.06)))
    flaws = tuple(sorted(str(f) for f in rng.choice(list(FLAWS), size=count, replace=False)))
    return Subject(
        product=str(rng.choice(PRODUCTS)),
        color=str(rng.choice(list(COLORS))),
        backdrop=str(rng.choice(list(BACKDROPS))),
        flaws=flaws,
    )


def full_caption(subject: Subject) -> str:
    return f"a {subject.color} {subject.product} {BACKDROPS[subject.backdrop]}"


def random_caption(subject: Subject, rng: np.random.Generator) -> str:
    """One of the ways to say what a picture shows.

    A tenth say nothing, for classifier-free guidance. Some name the flaws alone, as a negative
    prompt does. A third of the others keep silent about a flaw: a plain prompt then sometimes
    yields one, and a negative prompt has something to suppress.
    """
    roll = rng.random()
    flaws = ", ".join(FLAWS[f] for f in subject.flaws)
    if roll < 0.10:
        return ""
    if subject.flaws and roll < 0.22:
        return flaws
    words = [
        f"{subject.color} " if rng.random() < 0.95 else "",
        f"{subject.product} " if rng.random() < 0.96 else "product ",
        BACKDROPS[subject.backdrop] if rng.random() < 0.93 else "",
    ]
    opening = str(rng.choice(("a ", "a ", "one ", "photo of a ")))
    # Templates say "a {color} mug" whatever the colour; people say "an orange mug". It must read
    # both.
    if "".join(words).startswith("o") and opening.endswith("a ") and rng.random() < 0.5:
        opening = opening.replace("a ", "an ")
    caption = (opening + "".join(words)).strip() + str(rng.choice(ENDINGS))
    return f"{caption}, {flaws}" if flaws and rng.random() < 0.65 else caption


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's format whose merges are learnt from every caption there
    can be.
    """
    lines = [
        f"photo of one {full_caption(Subject(product=p, color=c, backdrop=b))}{ending}, {flaw}"
        for p, c, b, ending, flaw in product(PRODUCTS, COLORS, BACKDROPS, ENDINGS, FLAWS.values())
    ]
    # a token of text
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))  # noqa: S106
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    bpe.decoder = decoders.BPEDecoder(suffix="</w>")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        special_tokens=[],
        show_progress=False,
    )
    bpe.train_from_iterator(lines + [EXTRA_WORDS] * len(lines), trainer)
    learnt = json.loads(bpe.to_str())["model"]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learnt["merges"]]
    tokens += [a + b for a, b in merges]
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = CLIPTokenizer(
        vocab={token: k for k, token in enumerate(tokens)},
        merges=merges,
        model_max_length=MAX_TOKENS,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer
