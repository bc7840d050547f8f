import pytest

from actors.recipes.jobs import FailureKind
from storage.states import (
    TRANSITIONS,
    AttemptOutcome,
    CampaignState,
    Reason,
    RenderState,
    campaign_state,
    moved,
)


def test_every_state_is_in_the_table_and_can_be_reached():
    assert set(TRANSITIONS) == set(RenderState)
    assert set().union(*TRANSITIONS.values()) == set(RenderState)


def test_an_attempt_ends_only_where_a_running_render_may_go():
    assert TRANSITIONS[RenderState.RUNNING] >= {
        RenderState.DONE,
        RenderState.FAILED,
        RenderState.HELD,
    }


def test_what_is_cancelled_is_final_and_what_is_done_changes_only_by_a_person():
    assert {state for state in RenderState if not TRANSITIONS[state]} == {RenderState.CANCELLED}
    assert TRANSITIONS[RenderState.DONE] == {RenderState.HELD, RenderState.REJECTED}


def test_no_step_but_those_of_the_table_is_possible():
    for state in RenderState:
        for to in RenderState:
            if to in TRANSITIONS[state]:
                assert moved(state, to) is to
            else:
                with pytest.raises(AssertionError, match=f"is {state} cannot become {to}"):
                    moved(state, to)


def test_every_failure_is_the_outcome_of_an_attempt_and_there_are_three_others():
    others = {AttemptOutcome.PAINTED, AttemptOutcome.STALE, AttemptOutcome.BAD_OUTPUT}
    assert {AttemptOutcome(kind) for kind in FailureKind} == set(AttemptOutcome) - others
    assert Reason.BAD_OUTPUT.value == AttemptOutcome.BAD_OUTPUT.value


@pytest.mark.parametrize(
    ("counts", "changes", "state"),
    [
        ((0, 0, 0, 0), {"started": False}, CampaignState.QUEUED),
        ((1, 0, 0, 0), {}, CampaignState.RUNNING),
        ((1, 0, 0, 0), {"halted": "disk full"}, CampaignState.HALTED),
        ((1, 0, 0, 0), {"paused": True}, CampaignState.PAUSED),
        ((1, 0, 0, 0), {"paused": True, "halted": "disk full"}, CampaignState.HALTED),
        ((1, 0, 0, 2), {}, CampaignState.RUNNING),
        ((4, 0, 0, 0), {}, CampaignState.DONE),
        ((4, 0, 0, 0), {"halted": "disk full", "paused": True}, CampaignState.DONE),
        ((3, 1, 0, 0), {}, CampaignState.FAILED),
        ((3, 0, 1, 0), {}, CampaignState.FAILED),
        ((1, 1, 0, 2), {}, CampaignState.CANCELLED),
        ((2, 0, 2, 0), {"held_by_rule": 2}, CampaignState.AWAITING_REVIEW),
        ((1, 0, 2, 0), {"held_by_rule": 2, "rejected": 1}, CampaignState.AWAITING_REVIEW),
        ((2, 0, 2, 0), {"held_by_rule": 1}, CampaignState.FAILED),
        ((2, 1, 1, 0), {"held_by_rule": 1}, CampaignState.FAILED),
        ((2, 0, 1, 1), {"held_by_rule": 1}, CampaignState.CANCELLED),
        ((2, 0, 1, 0), {"held_by_rule": 1}, CampaignState.RUNNING),
    ],
)
def test_a_campaigns_state_follows_from_its_counts(counts, changes, state):
    done, failed, held, cancelled = counts
    given = {"started": True, "paused": False, "halted": None, **changes}
    assert (
        campaign_state(total=4, done=done, failed=failed, held=held, cancelled=cancelled, **given)
        is state
    )
