"""The canary of prompts: a pipeline that takes two different prompts for the same one is found out
when it is loaded.

A tokenizer that knows no word, an encoder without its weights: either gives one picture for every
prompt, and calls it done.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import Tensor

from actors.recipes.errors import LoadFailed

TEXTS = ("a red mug on a beach", "two blue bottles at night, seen from above")


def prove_prompts(pipe: Any, read: Callable[[str], Mapping[str, Tensor]]) -> None:
    """Have two texts read, and raise LoadFailed, naming the part, unless each text encoder tells
    them apart.

    `read` has the pipeline read one, and returns the parts of its embedding, or a picture.
    """
    said = []
    for text in TEXTS:
        with _listening(pipe) as heard:
            answer = read(text)
        said.append((heard, {name: part for name, part in answer.items() if "mask" not in name}))
    (first, one), (second, other) = said
    deaf = [name for name in first if name in second and _same(first[name], second[name])]
    deaf = deaf or [name for name in one if _same([one[name]], [other[name]])]
    if deaf:
        raise LoadFailed(
            f"it takes two different prompts for the same one ({deaf[0]} says the same of both),"
            " so that every prompt would give one picture. Its tokenizer or its text encoder's"
            " weights are not those that it was saved with."
        )


@contextmanager
def _listening(pipe: Any) -> Iterator[dict[str, list[Tensor]]]:
    """What each text encoder of a pipeline says meanwhile, by its name."""
    heard: dict[str, list[Tensor]] = {}
    encoders = {
        name: part
        for name, part in pipe.components.items()
        if isinstance(part, transformers.PreTrainedModel)
    }

    def hook(name: str) -> Callable[[Any, Any, Any], None]:
        return lambda _module, _inputs, output: heard.setdefault(name, []).extend(_tensors(output))

    hooks = [part.register_forward_hook(hook(name)) for name, part in encoders.items()]
    try:
        yield heard
    finally:
        for one in hooks:
            one.remove()


def _tensors(output: Any) -> list[Tensor]:
    """The first tensor of an answer, which has a row for each token."""
    values = (
        output.values()
        if isinstance(output, Mapping)
        else output
        if isinstance(output, tuple | list)
        else (output,)
    )
    return [value for value in values if isinstance(value, Tensor)][:1]


def _same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return len(first) == len(second) > 0 and all(
        torch.equal(a, b) for a, b in zip(first, second, strict=True)
    )
