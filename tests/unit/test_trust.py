"""Which workers may have work after failures and after wrong pixels."""

from farm.scheduling.trust import (
    FORGIVE_S,
    Record,
    after_attempt,
    distrusted,
    has_others,
    usable,
)


def test_failures_of_three_campaigns_in_a_row_put_a_worker_into_quarantine_for_a_time():
    record = Record()
    for campaign in (1, 1, 2, 1):
        record = after_attempt(record, campaign, failed=True, now=100.0)
    assert record == Record(blamed=(1, 2))
    assert after_attempt(record, 3, failed=False, now=100.0) == Record()
    record = after_attempt(record, 3, failed=True, now=100.0)
    assert record.quarantined_until == 100.0 + FORGIVE_S
    records = {"bad": record}
    assert usable({"bad", "good"}, records, 101.0) == {"good"}
    assert usable({"bad", "good"}, records, 101.0 + FORGIVE_S) == {"bad", "good"}
    # Where there is no other, it is better than none.
    assert usable({"bad"}, records, 101.0) == {"bad"}


def test_a_distrusted_worker_is_left_alone_even_where_it_is_the_only_one():
    records = {"a": distrusted("it is odd", now=0.0)}
    assert usable(["a"], records, 1.0) == set()
    assert usable(["a", "b"], records, 1.0) == {"b"}
    assert usable(["a"], records, FORGIVE_S) == {"a"}
    # What others are in quarantine for is another matter.
    records["b"] = Record(quarantined_until=100.0)
    assert usable(["a", "b"], records, 1.0) == {"b"}
    # Failures and successes after that change nothing about it.
    later = after_attempt(records["a"], 7, failed=False, now=2.0)
    assert (later.why, later.quarantined_until) == ("it is odd", FORGIVE_S)


def test_what_a_distrusted_worker_had_can_go_to_another_of_its_class_only():
    records = {"a": distrusted("it is odd", now=0.0)}

    def others(classes, size=None):
        return has_others("a", classes, records, fleet_size=size or len(classes), now=1.0)

    assert not others({"a": "c"})
    assert others({"a": "c"}, size=2)  # one more will be started
    assert others({"a": "c", "b": "c"})
    assert others({"a": "c", "b": None})  # it is starting
    assert not others({"a": "c", "b": "d"})
    records["b"] = distrusted("so is this", now=0.0)
    assert not others({"a": "c", "b": "c"})
