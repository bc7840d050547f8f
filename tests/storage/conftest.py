"""What the tests of the queue are about: a campaign of three chunks, and a session that leads."""

import pytest
from sqlalchemy import text

from storage.campaigns import Campaigns
from storage.removal import Removal
from storage.rows import NewCampaign, NewChunk, RenderOutcome, Settlement
from storage.states import Reason, RenderState


def new_campaign(name="spring", total=6, **changes):
    base = dict(
        project="p",
        name=name,
        spec={"a": 1},
        fingerprint="f",
        model="m",
        model_digest="d",
        priority=50,
        max_workers=None,
        total=total,
    )
    return NewCampaign(**{**base, **changes})


def new_chunks(count=3, size=2):
    return [
        NewChunk(group_no=0, start=k * size, stop=(k + 1) * size, total=size) for k in range(count)
    ]


def numbers_of(chunk):
    return chunk.numbers if chunk.numbers is not None else tuple(range(chunk.start, chunk.stop))


class Plan:
    """Approved renders of one group, cut into chunks of four."""

    def chunks(self, numbers):
        for k in range(0, len(numbers), 4):
            few = tuple(numbers[k : k + 4].tolist())
            yield NewChunk(group_no=0, numbers=few, total=len(few))

    def numbers(self, chunk):
        return list(numbers_of(chunk))


def outcomes(chunk, state=RenderState.DONE, reason=None, numbers=None):
    reason = reason or (Reason.PAINTED if state is RenderState.DONE else Reason.UNKNOWN)
    return tuple(
        RenderOutcome(
            number=n, digest="d", state=state, reason=reason, key=f"k{n}", pixels="x", bytes=1
        )
        for n in (numbers_of(chunk) if numbers is None else numbers)
    )


def settlement(chunk, painted=(), **changes):
    base = dict(
        chunk_id=chunk.id,
        campaign_id=chunk.campaign_id,
        lease=chunk.lease,
        worker=chunk.worker,
        outcome="painted",
        outcomes=painted,
    )
    return Settlement(**{**base, **changes})


def claim_one(queue, session, campaign, worker="w"):
    (chunk,) = queue.claim(session, [(campaign.id, worker)])
    return chunk


def prune_old(engine, older_than_s):
    """Forget what has been over for so long, and versions that were replaced so long ago; returns
    how many campaigns that were.
    """
    removal = Removal(engine)
    before = removal.moment(older_than_s)
    removal.let_old_versions_go(None, before)
    over = [
        c for c in Campaigns(engine).all() if c.finished_at is not None and c.finished_at < before
    ]
    count = sum(removal.forget(c.id) for c in over)
    removal.sweep()
    return count


@pytest.fixture
def campaign(campaigns):
    return campaigns.add(new_campaign(), new_chunks())


@pytest.fixture
def session(queue):
    return queue.lead(owner="one", host="h", pid=1)


@pytest.fixture
def fall_silent(engine):
    """Let a session's last heartbeat be so many seconds ago, by the clock of the database."""

    def fall_silent(session, seconds):
        with engine.begin() as connection:
            connection.execute(
                text(
                    f"UPDATE sessions SET heartbeat_at = heartbeat_at - {seconds} WHERE id ="
                    f" {session}"
                )
            )

    return fall_silent
