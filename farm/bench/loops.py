"""The loops that the farm is compared with, each in a process of its own: `python -m
farm.bench.loops`.

Reads one order a line from standard input and answers each with its seconds, so that runs can be
taken in turn.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

Order = dict[str, Any]


def bare(pipe: Any, order: Order) -> None:
    """Batch after batch, nothing kept: what the device can do."""
    for start in range(0, len(order["prompts"]), order["batch"]):
        prompts = order["prompts"][start : start + order["batch"]]
        generators = [
            torch.Generator("cpu").manual_seed(seed)
            for seed in order["seeds"][start : start + order["batch"]]
        ]
        _paint(pipe, order, prompts, generators)


def naive(pipe: Any, order: Order) -> None:
    """One picture at a time, saved in between: the loop that people write."""
    folder = Path(order["folder"])
    for prompt, seed in zip(order["prompts"], order["seeds"], strict=True):
        image = _paint(pipe, order, [prompt], [torch.Generator("cpu").manual_seed(seed)])[0]
        image.save(folder / f"{seed}.png")


def _paint(pipe: Any, order: Order, prompts: list[str], generators: list[torch.Generator]) -> Any:
    return pipe(
        prompts,
        negative_prompt=[order["negative"]] * len(prompts),
        num_inference_steps=order["steps"],
        guidance_scale=order["guidance"],
        generator=generators,
        output_type="pil" if order["loop"] == "naive" else "pt",
    ).images


def main() -> None:
    first = json.loads(sys.stdin.readline())
    torch.set_num_threads(first["threads"])
    pipe = StableDiffusionPipeline.from_pretrained(
        first["model"],
        dtype=torch.float32,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        began = time.perf_counter()
        {"bare": bare, "naive": naive}[order["loop"]](pipe, order)
        sys.stdout.write(f"{time.perf_counter() - began}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
