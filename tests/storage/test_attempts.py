"""The last attempts, as they tell how long others will take."""

from dataclasses import replace

from storage.attempts import Attempts
from storage.spent import Spent
from tests.storage.conftest import outcomes, settlement


def test_the_last_attempts_come_with_their_seconds_and_what_is_under_way(
    engine, queue, settling, campaign
):
    lately = Attempts(engine)
    assert lately.lately().attempts == ()
    session = queue.lead(owner="o", host="h", pid=1)
    for number, given_s in enumerate((4.0, 8.0)):
        (chunk,) = queue.claim(session, [(campaign.id, "w1")])
        spent = Spent(painted_s=given_s, padding_s=1.0, idle_s=0.5, megapixel_steps=2.0 + number)
        settling.settle(session, [replace(settlement(chunk, outcomes(chunk)), spent=spent)])
    queue.claim(session, [(campaign.id, "w2")])
    now = lately.lately()
    first, second = now.attempts
    assert (first.given_s, first.painted_s, second.given_s) == (5.5, 5.0, 9.5)
    assert (first.renders, first.worker, first.model) == (2, "w1", campaign.model_digest)
    assert (first.megapixel_steps, second.megapixel_steps) == (2.0, 3.0)
    assert first.ended_at <= second.ended_at <= now.now + 1
    assert now.under_way == {(campaign.id, "w2"): 2}
    assert lately.lately(limit=1).attempts == (second,), "the newest"


def test_attempts_of_which_no_time_is_known_tell_nothing(engine, queue, settling, campaign):
    """Those of an earlier version, and those that were late."""
    session = queue.lead(owner="o", host="h", pid=1)
    (chunk,) = queue.claim(session, [(campaign.id, "w1")])
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    assert Attempts(engine).lately().attempts == ()
