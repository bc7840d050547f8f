"""How fast pictures become files, and how large these are: the farm's formats and other encoders
of PNG, against Pillow's default PNG.

Each encoder's time is the processor time of its one thread, so that what else the machine does
counts little; they take turns in every round. What comes out is decoded and compared with what
went in.
"""

import io
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import chain

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from actors.pictures.files import Pixels, read, write
from actors.pictures.png import write_png
from actors.recipes.encoding import Encoding, Format
from farm.bench.corpus import SIDE, photo_like
from farm.bench.figures import Json, machine, spread
from storage.errors import WorkError

Encode = Callable[[Pixels], bytes]

BASELINE = "pillow 6"
OURS = "png"
RECORD = {
    "recipe": {
        "prompt": "a red mug on a beach, product photo",
        "negative": "film grain",
        "seed": 7,
        "steps": 20,
    },
    "digest": "d" * 64,
}
PARAMETERS = (
    "a red mug on a beach, product photo\nNegative prompt: film grain\nSteps: 20, Sampler: ddim,"
    " CFG scale: 5.0, Seed: 7"
)
_LOSSY = {"webp-q90", "jpg-q90", "jxl-q90"}
_FORMATS = (
    Encoding(),
    Encoding(format=Format.WEBP),
    Encoding(format=Format.WEBP, quality=90),
    Encoding(format=Format.JPEG, quality=90),
    Encoding(format=Format.JXL),
    Encoding(format=Format.JXL, quality=90),
)
_FILES_BESIDE = 4


def measure(*, rounds: int) -> Json:
    """Every encoder on every picture, so many times in turn."""
    corpus, encoders = photo_like(), _encoders()
    sizes = {
        name: [len(_checked(name, encode, pixels)) for pixels in corpus.values()]
        for name, encode in encoders.items()
    }
    turns = [_seconds(encoders, pixels) for _ in range(rounds) for pixels in corpus.values()]

    def speed(name: str) -> Json:
        return spread([turn[BASELINE] / turn[name] for turn in turns])

    def size(name: str) -> Json:
        return spread(
            [own / pillow for own, pillow in zip(sizes[name], sizes[BASELINE], strict=True)]
        )

    figures = {
        "speed_vs_pillow": speed(OURS),
        "size_vs_pillow": size(OURS),
        "ms": spread([turn[OURS] * 1000 for turn in turns]),
        "python_beside": spread(
            [_beside(encoders[OURS], corpus["leaves"]) for _ in range(rounds)]
        ),
    }
    others = [name for name in encoders if name not in (OURS, BASELINE)]
    peers = dict(
        chain.from_iterable(
            ((f"{name} speed", speed(name)), (f"{name} size", size(name))) for name in others
        )
    )
    pillow = {
        f"{BASELINE} ms": spread([turn[BASELINE] * 1000 for turn in turns]),
        "python_beside sorted()": spread(
            [_beside(_under_the_lock, corpus["leaves"]) for _ in range(rounds)]
        ),
        f"{BASELINE} bits a pixel": spread([size * 8 / SIDE**2 for size in sizes[BASELINE]]),
    }
    setup = {
        "rounds": rounds,
        "pictures": len(corpus),
        "side": SIDE,
        "opencv": bool(find_spec("cv2")),
    }
    return {
        "bench": "encode",
        "machine": machine(),
        "setup": setup,
        "figures": figures,
        "peers": pillow | peers,
    }


def _encoders() -> Mapping[str, Encode]:
    levels = {f"pillow {level}": _pillow(level) for level in (6, 4, 3, 1)}
    deflates = {f"up + libdeflate {level}": _up_and_libdeflate(level) for level in (1, 4, 6)}
    return {
        **levels,
        **(_opencv() if find_spec("cv2") else {}),
        **deflates,
        **{format_.name: _farm(format_) for format_ in _FORMATS},
    }


def _farm(encoding: Encoding) -> Encode:
    return lambda pixels: write(pixels, RECORD, PARAMETERS, encoding)


def _up_and_libdeflate(level: int) -> Encode:
    return lambda pixels: write_png(pixels, {"parameters": PARAMETERS}, level)


def _pillow(level: int) -> Encode:
    def encode(pixels: Pixels) -> bytes:
        texts, file = PngInfo(), io.BytesIO()
        texts.add_itxt("parameters", PARAMETERS)
        Image.fromarray(pixels).save(file, "PNG", pnginfo=texts, compress_level=level)
        return file.getvalue()

    return encode


def _opencv() -> Mapping[str, Encode]:
    """OpenCV's PNG, as it is by default and at the level that it had as its default before; with
    no texts, which it cannot write.
    """
    import cv2  # noqa: PLC0415  # a peer, which only those who develop the farm have

    def at(*options: int) -> Encode:
        def encode(pixels: Pixels) -> bytes:
            return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[
                1
            ].tobytes()

        return encode

    return {
        "opencv": at(),
        "opencv 1": at(cv2.IMWRITE_PNG_COMPRESSION, 1),
        "opencv 3": at(cv2.IMWRITE_PNG_COMPRESSION, 3),
    }


def _checked(name: str, encode: Encode, pixels: Pixels) -> bytes:
    """The file, once it has been decoded and compared; a first call, which loads what an encoder
    needs, is not timed.
    """
    data = encode(pixels)
    found = read(data)
    if found is None or (name not in _LOSSY and not np.array_equal(found.pixels, pixels)):
        raise WorkError(f"The encoder {name} does not give back the pixels that it was given.")
    return data


def _seconds(encoders: Mapping[str, Encode], pixels: Pixels) -> dict[str, float]:
    taken = {}
    for name, encode in encoders.items():
        began = time.thread_time()
        encode(pixels)
        taken[name] = time.thread_time() - began
    return taken


def _beside(encode: Callable[[Pixels], object], pixels: Pixels) -> float:
    """The processor time that Python has in another thread, to that of the encoder: 1 where the
    global lock is free while it works.

    Two threads that encode would tell less: where other work has the cores, they are no faster
    than one, whatever they lock.
    """
    spent: list[float] = []

    def some() -> None:
        began = time.thread_time()
        for _ in range(_FILES_BESIDE):
            encode(pixels)
        spent.append(time.thread_time() - began)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # so that what waits for the lock does not wait for long
    try:
        thread, began = threading.Thread(target=some), time.thread_time()
        thread.start()
        while not spent:
            for _ in range(200):
                pass
        beside = time.thread_time() - began
        thread.join()
    finally:
        sys.setswitchinterval(usual)
    return beside / spent[0]


def _under_the_lock(pixels: Pixels) -> object:
    """What never lets another thread have the lock, for comparison."""
    return sorted(pixels[:100].ravel().tolist())
