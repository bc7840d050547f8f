"""Previews go before pictures: nothing but they is removed, and nobody misses them then."""

import pytest

from farm.service.preview_pruning import PreviewPruner
from farm.service.retention import Order
from storage.errors import NotFound
from storage.removal import Removal
from tests.campaigns import data
from tests.farm.conftest import RESTING


@pytest.fixture
def removal(engine):
    return Removal(engine)


@pytest.fixture
def pruner(campaigns, removal, outputs):
    return PreviewPruner(campaigns=campaigns, removal=removal, outputs=outputs)


FEW = {"vary": {"n": [1, 2, 3]}, "previews": {"every": 4}}


def test_previews_alone_are_removed_and_the_manifest_names_none(
    resting,
    pruner,
    reading,
    outputs,
):
    row = resting(**FEW)
    resting(**FEW, name="other", seeds=[8])
    before = set(outputs.keys("p"))
    lines = [reading.render("p", row.name, n) for n in range(3)]
    doomed = {key for line in lines for key in line["previews"]}
    assert len(doomed) == 6
    named = Order(names=frozenset({row.name}))
    told = pruner.prune("p", named, dry_run=True)
    assert told["campaigns"] == [{"campaign": row.name, "files": 6}]
    assert set(outputs.keys("p")) == before
    assert reading.render("p", row.name, 0)["previews"]
    assert pruner.prune("p", named)["campaigns"] == told["campaigns"]
    assert set(outputs.keys("p")) == before - doomed
    assert [reading.render("p", row.name, n)["previews"] for n in range(3)] == [[]] * 3
    assert reading.render("p", "other", 0)["previews"]
    assert pruner.prune("p", named)["campaigns"] == []


def test_what_is_not_over_or_not_old_enough_is_spared(
    resting,
    pruner,
    removal,
    service,
):
    resting(**FEW)
    service.submit("p", data(**{**RESTING, **FEW, "name": "waiting"}))
    spared = pruner.prune("p", Order(names=frozenset({"waiting"})))["spared"]
    assert [(one["campaign"], "not over" in one["why"]) for one in spared] == [("waiting", True)]
    assert pruner.prune("p", Order(before=removal.moment(3600)))["campaigns"] == []
    (found,) = pruner.prune("p", Order(before=removal.moment(-1)))["campaigns"]
    assert found["files"] == 6


def test_a_name_that_is_not_there_removes_nothing(resting, pruner, outputs):
    resting(**FEW)
    before = set(outputs.keys("p"))
    with pytest.raises(NotFound, match="no campaign gone"):
        pruner.prune("p", Order(names=frozenset({"spring", "gone"})))
    assert set(outputs.keys("p")) == before
