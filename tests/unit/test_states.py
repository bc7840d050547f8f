import pytest

from storage.states import TRANSITIONS, CampaignState, RenderState, campaign_state


def test_every_state_is_in_the_table_and_can_be_reached():
    assert set(TRANSITIONS) == set(RenderState)
    assert set().union(*TRANSITIONS.values()) == set(RenderState)


def test_an_attempt_ends_only_where_a_running_render_may_go():
    assert TRANSITIONS[RenderState.RUNNING] >= {RenderState.DONE, RenderState.FAILED, RenderState.HELD}


def test_done_and_cancelled_are_final():
    assert {state for state in RenderState if state.is_final} == {RenderState.DONE, RenderState.CANCELLED}


@pytest.mark.parametrize(
    ("counts", "started", "halted", "state"),
    [
        ((0, 0, 0), False, None, CampaignState.QUEUED),
        ((1, 0, 0), True, None, CampaignState.RUNNING),
        ((1, 0, 0), True, "disk full", CampaignState.STOPPED),
        ((4, 0, 0), True, None, CampaignState.DONE),
        ((4, 0, 0), True, "disk full", CampaignState.DONE),
        ((3, 1, 0), True, None, CampaignState.FAILED),
        ((3, 0, 1), True, None, CampaignState.FAILED),
    ],
)
def test_a_campaigns_state_follows_from_its_counts(counts, started, halted, state):
    done, failed, held = counts
    assert campaign_state(total=4, done=done, failed=failed, held=held, started=started, halted=halted) is state
