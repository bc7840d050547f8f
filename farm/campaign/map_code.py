"""A render as one byte: its state, its verdict, and its decile of drift. Pure.

| byte | what |
|---|---|
| 0 to 17 | three for each of `PLAIN`: undecided, approved, rejected |
| 18 to 116 | 33 for each of `PAINTED`: three for each decile of drift, none (0) to 10 |
"""

import numpy as np
from numpy.typing import NDArray

PLAIN = ("none", "waiting", "undecided", "running", "failed", "cancelled")
"""States without a picture that was measured."""
PAINTED = ("done", "held", "rejected")
STATES = (*PLAIN, *PAINTED)
REVIEWS = ("undecided", "approved", "rejected")
DECILES = 10
_WIDTH = 3 * (DECILES + 1)
_FIRST = 3 * len(PLAIN)

Bytes = NDArray[np.uint8]


def packed(states: Bytes, reviews: Bytes, deciles: Bytes) -> Bytes:
    """A byte for each render, from the places of its state and its verdict, and its decile."""
    plain = states * 3 + reviews
    painted = _FIRST + (states.astype(np.int16) - len(PLAIN)) * _WIDTH + deciles * 3 + reviews
    codes: Bytes = np.where(states < len(PLAIN), plain, painted).astype(np.uint8)
    return codes


def unpacked(code: int) -> tuple[str, str, int]:
    """State, verdict and decile of a byte."""
    if code < _FIRST:
        return PLAIN[code // 3], REVIEWS[code % 3], 0
    kind, rest = divmod(code - _FIRST, _WIDTH)
    return PAINTED[kind], REVIEWS[rest % 3], rest // 3
