"""The training set: drawn pictures with their subjects, written once to a folder and mapped into
memory.
"""

import json
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from actors.seedling.captions import random_subject
from actors.seedling.drawing import draw
from actors.seedling.planes import SIZE, Picture
from actors.seedling.scenes import Subject, random_scene


@dataclass(frozen=True)
class Pictures:
    """uint8 pixels of shape [n, 128, 128, 3], and what each picture shows."""

    pixels: NDArray[np.uint8]
    subjects: list[Subject]


def drawn_picture(index: int, *, seed: int) -> tuple[Picture, Subject]:
    """Picture `index` of the endless series that `seed` names: the same whoever draws it, in
    whatever order.
    """
    rng = np.random.default_rng([seed, index])
    subject = random_subject(rng)
    return draw(subject, random_scene(rng)), subject


def load_or_draw(folder: Path, *, count: int, seed: int, workers: int) -> Pictures:
    """The first `count` pictures of a series; drawn into `folder` when they are not there yet."""
    stem = f"pictures-{seed}-{count}"
    pixels_path, subjects_path = folder / f"{stem}.npy", folder / f"{stem}.json"
    if not subjects_path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.lib.format.open_memmap(pixels_path, "w+", np.uint8, (count, SIZE, SIZE, 3))
        subjects: list[Subject] = []
        with get_context("spawn").Pool(workers) as pool:
            series = pool.imap(partial(drawn_picture, seed=seed), range(count), chunksize=64)
            for k, (picture, subject) in enumerate(track(series, "drawing pictures", total=count)):
                pixels[k] = picture
                subjects.append(subject)
        pixels.flush()
        subjects_path.write_text(
            json.dumps([asdict(subject) for subject in subjects])
        )  # last: its presence says that the pixels are whole
    rows = json.loads(subjects_path.read_text())
    subjects = [Subject(**{**row, "flaws": tuple(row["flaws"])}) for row in rows]
    return Pictures(np.load(pixels_path, mmap_mode="r"), subjects)
