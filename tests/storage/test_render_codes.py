"""Renders read as arrays, on both databases."""

import numpy as np
import pytest
from sqlalchemy import insert

from storage.render_codes import ENDED, REASONS, RULES, RenderCodes
from storage.states import Reason, RenderState
from storage.tables import renders

STATES, REASON_OF = (
    {s: k for k, s in enumerate(ENDED, 1)},
    {r: k for k, r in enumerate(REASONS, 1)},
)


@pytest.fixture
def write(engine):
    def write(*rows):
        base = dict(campaign_id=1, digest="d", reason=Reason.PAINTED, attempts=1, finished_at=0.0)
        with engine.begin() as connection:
            for row in rows:
                whole = {**base, "drift": None, "rules_failed": None, **row}
                connection.execute(insert(renders).values(whole))

    return write


def test_a_row_becomes_the_codes_of_its_facts(engine, write):
    write(
        dict(number=9_000, state=RenderState.HELD, reason=Reason.DRIFT, drift=0.95),
        dict(number=3, state=RenderState.DONE, drift=0.0, rules_failed="border@2,sharpness@1"),
        dict(number=4, state=RenderState.FAILED, reason="of_a_later_version", drift=1.0),
        dict(number=70_000, state=RenderState.REJECTED, rules_failed="border"),
        dict(number=5, state=RenderState.DONE, drift=0.1, campaign_id=2),
    )
    found = RenderCodes(engine).read(1, 0, 100_000)
    assert found.numbers.tolist() == [3, 4, 9_000, 70_000]
    assert found.states.tolist() == [
        STATES[s]
        for s in (RenderState.DONE, RenderState.FAILED, RenderState.HELD, RenderState.REJECTED)
    ]
    assert found.reasons.tolist()[1:3] == [0, REASON_OF[Reason.DRIFT]]
    assert found.deciles.tolist() == [1, 10, 10, 0]
    bits = [1 << RULES.index(rule) for rule in ("border", "sharpness")]
    assert found.rules.tolist() == [sum(bits), 0, 0, bits[0]]


def test_a_window_has_its_own_renders_in_order_and_may_be_empty(engine, write):
    write(*(dict(number=n, state=RenderState.DONE) for n in (5_000, 1, 4_095, 4_096)))
    codes = RenderCodes(engine)
    assert codes.read(1, 1, 5_000).numbers.tolist() == [1, 4_095, 4_096]
    assert codes.read(1, 2, 4_000).numbers.tolist() == []
    assert codes.read(1, 7, 7).states.dtype == np.uint8
    assert codes.of(1, [5_000, 17, 1]).numbers.tolist() == [1, 5_000]
    assert codes.last_decision(1) == 0
