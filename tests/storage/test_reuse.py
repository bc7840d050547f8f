"""Renders of the same recipe elsewhere in the project: which count, and which do not."""

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import text

from storage import reuse as module
from storage.removal import Removal
from storage.reuse import Reuse
from storage.states import RenderState
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement


def digest(name):
    return hashlib.sha256(str(name).encode()).hexdigest()


def paint(queue, settling, session, campaign, numerics_class="c", state=RenderState.DONE):
    """Settle all of a campaign: render n has the recipe of that number."""
    settled = []
    while claimed := queue.claim(session, [(campaign.id, "w")]):
        (chunk,) = claimed
        ended = outcomes(chunk, state)
        ended = tuple(
            replace(
                o,
                digest=digest(o.number),
                numerics_class=numerics_class,
                key=f"{campaign.name}/{o.number}",
            )
            for o in ended
        )
        settling.settle(session, [settlement(chunk, ended)])
        settled += ended
    return settled


@pytest.fixture
def reuse(engine):
    return Reuse(engine)


@pytest.fixture
def done(queue, settling, session, campaign):
    return paint(queue, settling, session, campaign)


def found(reuse, campaign, numbers=range(9), numerics_class="c", with_retired=True):
    siblings = reuse.siblings(campaign, with_retired=with_retired)
    return {
        o.key for o in reuse.find(siblings, {digest(n) for n in numbers}, numerics_class).values()
    }


def test_a_render_of_the_same_recipe_is_found_in_another_campaign(reuse, campaigns, done):
    other = campaigns.add(new_campaign("other"), new_chunks())
    assert found(reuse, other, numbers=[1, 4, 99]) == {"spring/1", "spring/4"}
    (known,) = reuse.find(reuse.siblings(other, with_retired=True), {digest(2)}, "c").values()
    assert replace(known, finished_at=None) == done[2]


@pytest.mark.parametrize(
    "changes",
    [{"project": "elsewhere"}, {"encoding": "webp"}, {"model_digest": "another"}],
    ids=["project", "encoding", "model"],
)
def test_those_of_another_project_encoding_or_model_are_not(reuse, campaigns, done, changes):
    assert found(reuse, campaigns.add(new_campaign("other", **changes), new_chunks())) == set()


def test_those_of_another_numerics_class_are_not(reuse, campaigns, done):
    other = campaigns.add(new_campaign("other"), new_chunks())
    assert found(reuse, other, numerics_class="d") == set()


@pytest.mark.parametrize("state", [RenderState.FAILED, RenderState.HELD])
def test_those_that_are_not_done_are_not(
    reuse, queue, settling, session, campaigns, campaign, state
):
    paint(queue, settling, session, campaign, state=state)
    assert found(reuse, campaigns.add(new_campaign("other"), new_chunks())) == set()


def test_a_projects_only_campaign_has_no_siblings(reuse, campaigns, campaign, done):
    assert reuse.siblings(campaign, with_retired=True) == []
    campaigns.add(new_campaign("nothing-done"), new_chunks())
    assert reuse.siblings(campaign, with_retired=True) == []


def test_a_version_that_was_replaced_counts_where_that_is_wanted(
    reuse, campaigns, control, campaign, done
):
    control.replace(campaign.id, new_campaign(total=6), [], new_chunks())
    new = campaigns.get("p", "spring")
    assert found(reuse, new) == {f"spring/{n}" for n in range(6)}
    assert found(reuse, new, with_retired=False) == set()


def test_a_campaign_that_is_removed_with_its_pictures_lends_none(reuse, campaigns, engine, done):
    other = campaigns.add(new_campaign("other"), new_chunks())
    assert Removal(engine).mark(campaigns.get("p", "spring").id)
    assert found(reuse, other) == set()


def test_what_is_settled_later_is_learned(reuse, queue, settling, session, campaigns, campaign):
    first = claim_one(queue, session, campaign)
    some = tuple(replace(o, digest=digest(o.number), numerics_class="c") for o in outcomes(first))
    settling.settle(session, [settlement(first, some)])
    other = campaigns.add(new_campaign("other"), new_chunks())
    assert found(reuse, other) == {"k0", "k1"}
    later = paint(queue, settling, session, campaign)
    assert found(reuse, other) == {"k0", "k1"}
    reuse.learn(campaign.id, later)
    reuse.learn(other.id, later)  # nobody has asked for its own yet: nothing is kept of it
    assert found(reuse, other) == {"k0", "k1", *(o.key for o in later)}
    # Another dispatcher reads it all.
    assert len(found(Reuse(reuse._reader), other)) == 6


def test_rows_that_are_gone_are_not_found(reuse, campaigns, done, engine):
    other = campaigns.add(new_campaign("other"), new_chunks())
    assert len(found(reuse, other)) == 6
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM renders WHERE number < 3"))
    assert len(found(reuse, other)) == 3


def test_large_campaigns_are_read_in_pages_and_the_least_used_given_up(
    reuse, queue, settling, session, campaigns, done, monkeypatch
):
    monkeypatch.setattr(module, "_MERGE_AT", 2)
    monkeypatch.setattr(module, "MOST_KEPT", 7)
    monkeypatch.setattr(module, "DIGESTS", module.DIGESTS.limit(2))
    monkeypatch.setattr(module, "_READ_AT_ONCE", 2)
    second = campaigns.add(new_campaign("second"), new_chunks())
    paint(queue, settling, session, second)
    third = campaigns.add(new_campaign("third"), new_chunks())
    pages = []
    assert (
        len(
            reuse.find(
                reuse.siblings(third, with_retired=True),
                {digest(n) for n in range(6)},
                "c",
                on_page=lambda: pages.append(1),
            )
        )
        == 6
    )
    assert len(pages) == 6
    assert len(reuse._known) == 1
