"""What attempts at a model have shown, and how large its pictures are."""

from dataclasses import replace

import pytest

from actors.recipes.jobs import Facts
from storage.measured import measured
from storage.model_history import ModelHistory
from storage.spent import Spent
from tests.storage.conftest import outcomes, settlement


@pytest.fixture
def history(engine):
    return ModelHistory(engine)


@pytest.fixture
def session(queue):
    return queue.lead(owner="o", host="h", pid=1)


def settle(session, queue, settling, campaign, worker, *, work=4.0, size=10, **facts):
    (chunk,) = queue.claim(session, [(campaign.id, worker)])
    painted = [replace(outcome, bytes=size) for outcome in outcomes(chunk)]
    said = vars(Facts(shape="s", numerics_class="c", batch_s=(3.0, 1.0), **facts))
    spent = Spent(pool="gpu", painted_s=4.0, idle_s=1.0, megapixel_steps=work)
    one = replace(settlement(chunk, painted), facts=said, spent=spent)
    settling.settle(session, [one])


def test_attempts_come_with_their_pool_their_shape_and_their_pace(
    history, session, queue, settling, campaign
):
    settle(session, queue, settling, campaign, "gpu-1", loads=1, load_s=2.5)
    settle(session, queue, settling, campaign, "gpu-2")
    first, second = history.chunks(campaign.model_digest)
    assert (first.pool, first.shape, first.numerics_class) == ("gpu", "s", "c")
    assert (first.loads, first.load_s, second.loads) == (1, 2.5, 0)
    pace = first.pace
    assert (pace.worker, pace.given_s, pace.painted_s, pace.renders) == ("gpu-1", 5.0, 4.0, 2)
    assert pace.megapixel_steps == 4.0
    assert history.chunks(campaign.model_digest, limit=1) == [second], "the newest"
    assert history.chunks("another") == []


def test_attempts_that_painted_nothing_tell_nothing(history, session, queue, settling, campaign):
    settle(session, queue, settling, campaign, "gpu-1", work=0.0)
    assert history.chunks(campaign.model_digest) == []


def test_files_are_those_of_the_model_in_one_encoding(history, session, queue, settling, campaign):
    settle(session, queue, settling, campaign, "gpu-1", size=70)
    (files,) = history.files(campaign.model_digest, campaign.encoding)
    assert files.spec == campaign.spec
    assert list(files.bytes.values()) == [70, 70]
    assert list(history.files(campaign.model_digest, "webp")) == []
    assert list(history.files("another", campaign.encoding)) == []


def test_all_parts_read_one_database(engine, campaign):
    parts = measured(engine)
    assert parts.campaigns.by_id(campaign.id).name == campaign.name
    assert parts.open_reuse() is not parts.open_reuse(), "each reads anew"
