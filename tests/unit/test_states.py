import pytest

from storage.states import TRANSITIONS, CampaignState, RenderState, campaign_state


def test_every_state_is_in_the_table_and_can_be_reached():
    assert set(TRANSITIONS) == set(RenderState)
    assert set().union(*TRANSITIONS.values()) == set(RenderState)


def test_an_attempt_ends_only_where_a_running_render_may_go():
    assert TRANSITIONS[RenderState.RUNNING] >= {
        RenderState.DONE,
        RenderState.FAILED,
        RenderState.HELD,
    }


def test_done_and_cancelled_are_final():
    assert {state for state in RenderState if state.is_final} == {
        RenderState.DONE,
        RenderState.CANCELLED,
    }


@pytest.mark.parametrize(
    ("counts", "changes", "state"),
    [
        ((0, 0, 0, 0), {"started": False}, CampaignState.QUEUED),
        ((1, 0, 0, 0), {}, CampaignState.RUNNING),
        ((1, 0, 0, 0), {"halted": "disk full"}, CampaignState.STOPPED),
        ((1, 0, 0, 0), {"paused": True}, CampaignState.PAUSED),
        ((1, 0, 0, 0), {"paused": True, "halted": "disk full"}, CampaignState.STOPPED),
        ((1, 0, 0, 2), {}, CampaignState.RUNNING),
        ((4, 0, 0, 0), {}, CampaignState.DONE),
        ((4, 0, 0, 0), {"halted": "disk full", "paused": True}, CampaignState.DONE),
        ((3, 1, 0, 0), {}, CampaignState.FAILED),
        ((3, 0, 1, 0), {}, CampaignState.FAILED),
        ((1, 1, 0, 2), {}, CampaignState.CANCELLED),
    ],
)
def test_a_campaigns_state_follows_from_its_counts(counts, changes, state):
    done, failed, held, cancelled = counts
    given = {"started": True, "paused": False, "halted": None, **changes}
    assert (
        campaign_state(total=4, done=done, failed=failed, held=held, cancelled=cancelled, **given)
        is state
    )
