"""Seeds: listed by hand, or derived so that nothing added to a campaign changes a seed that was
there before.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from actors.recipes.recipe import canonical_json

SEED_LIMIT = 2**32
_ROUNDS = 4


def derived_seed(base: int, index: int, coordinates: Mapping[str, Any]) -> int:
    """Seed `index` of the series that `base` and the named coordinates select; 0 <= seed < 2**32.

    A series is a permutation of all 32-bit numbers (a four-round Feistel network, Luby & Rackoff
    1988, keyed by sha256), so that two indices never share a seed and any one can be had without
    the others.
    """
    key = canonical_json([base, dict(coordinates)]).encode()
    left, right = index >> 16, index & 0xFFFF
    for round_no in range(_ROUNDS):
        left, right = right, left ^ _mixed(round_no, right, key)
    return left << 16 | right


def derived_index(base: int, seed: int, coordinates: Mapping[str, Any]) -> int:
    """The index of a seed in such a series: `derived_seed` backwards."""
    key = canonical_json([base, dict(coordinates)]).encode()
    left, right = seed >> 16, seed & 0xFFFF
    for round_no in reversed(range(_ROUNDS)):
        left, right = right ^ _mixed(round_no, left, key), left
    return left << 16 | right


def _mixed(round_no: int, half: int, key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"%d:%d:" % (round_no, half) + key).digest()[:2], "big")
