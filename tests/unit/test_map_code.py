"""Renders as bytes."""

import numpy as np

from farm.campaign.map_code import DECILES, PAINTED, PLAIN, REVIEWS, STATES, packed, unpacked


def test_every_state_verdict_and_decile_has_a_byte_of_its_own():
    facts = [(s, r, 0) for s in PLAIN for r in REVIEWS]
    facts += [(s, r, d) for s in PAINTED for d in range(DECILES + 1) for r in REVIEWS]
    states, reviews, deciles = (
        np.array(column, np.uint8)
        for column in zip(
            *((STATES.index(s), REVIEWS.index(r), d) for s, r, d in facts), strict=True
        )
    )
    codes = packed(states, reviews, deciles)
    assert len(set(codes.tolist())) == len(facts)
    assert [unpacked(int(code)) for code in codes] == facts
