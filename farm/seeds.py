"""Seeds: listed by hand, or derived so that nothing added to a campaign changes a seed that was there before."""

import hashlib
from collections.abc import Mapping
from typing import Any

from actors.recipe import canonical_json

SEED_LIMIT = 2**32
_ROUNDS = 4


def derived_seed(base: int, index: int, coordinates: Mapping[str, Any]) -> int:
    """Seed `index` of the series that `base` and the named coordinates select; 0 <= seed < 2**32.

    A series is a permutation of all 32-bit numbers (a four-round Feistel network, Luby & Rackoff 1988, keyed by sha256), so
    that two indices never share a seed and any one can be had without the others.
    """
    key = canonical_json([base, dict(coordinates)]).encode()
    left, right = index >> 16, index & 0xFFFF
    for round_no in range(_ROUNDS):
        mix = hashlib.sha256(b"%d:%d:" % (round_no, right) + key).digest()
        left, right = right, left ^ int.from_bytes(mix[:2], "big")
    return left << 16 | right
