"""Brand packs from submission to manifest, on a real job database."""

import json
from dataclasses import asdict, replace

import pytest

from actors.recipes.jobs import Facts
from actors.recipes.rules import Rules
from farm.campaign.specs import expansion_of
from farm.documents.document import DocumentError
from farm.results.manifest import manifest_lines
from farm.service.brands import BrandService
from storage.reviews import Reviews
from storage.states import Reason, RenderState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet
from tests.storage.conftest import outcomes, settlement

PACK = {
    "name": "acme",
    "texts": {"style": "matte"},
    "negative": "grain",
    "banned": ["cheap"],
    "settings": {"guidance": 5.0},
    "locked": ["guidance"],
    "rules": {"border": "none", "clipped": {"at_most": 0.1}},
    "on_violation": "hold",
}


def asked(**changes):
    return data(prompt="a {color} {product}, {style}", **{"brand": PACK, **changes})


@pytest.fixture
def packs(brands):
    return BrandService(brands)


def test_a_pack_that_comes_with_a_campaign_is_stored_and_frozen(service, campaigns, packs):
    row, did = service.submit("p", asked())
    assert (did["created"], row.brand) == (True, "acme@1")
    assert row.brand_digest == packs.show("p", "acme", 1)["digest"]
    (stored,) = packs.all("p")
    assert stored["frozen_at"] is not None
    again, did = service.submit("p", asked())
    assert (did["created"], again.id) == (False, row.id)


def test_a_campaign_may_name_a_version_of_the_farm(service, packs):
    packs.add("p", PACK)
    row, _ = service.submit("p", asked(brand="acme@1"))
    same, did = service.submit("p", asked())
    assert (same.id, did["created"]) == (row.id, False)
    assert packs.add("p", {**PACK, "banned": ["dear"]})["brand"] == "acme@2"
    with pytest.raises(DocumentError, match="brand: The brand acme has no version 3"):
        service.submit("p", asked(brand="acme@3"))
    with pytest.raises(DocumentError, match="'acme' is not a version of a brand"):
        service.submit("p", asked(brand="acme"))
    with pytest.raises(DocumentError, match=r"brand\.bans: unknown key 'bans'"):
        service.submit("p", asked(brand={**PACK, "bans": []}))


def test_a_dry_run_names_the_version_and_stores_nothing(estimates, packs):
    plan = estimates.plan(asked(), "p")
    assert plan["brand"] == "acme@1"
    assert plan["first"][0]["prompt"].endswith(", matte")
    assert plan["first"][0]["negative"] == "grain"
    assert packs.all("p") == []


def test_every_violation_is_told_at_once_and_nothing_is_stored(service, campaigns, packs):
    products = [{"product": f"cheap mug {k}", "sku": k} for k in range(40)]
    with pytest.raises(DocumentError) as refused:
        service.submit("p", asked(vary={"row": products, "color": ["red"], "guidance": [5, 9]}))
    problems = refused.value.problems
    assert [problem.path for problem in problems] == [
        ("vary", "guidance", 1, "guidance"),
        *(("vary", "row", k, "product") for k in range(40)),
    ]
    assert len(str(refused.value).splitlines()) == 41
    assert (campaigns.all("p"), packs.all("p")) == ([], [])


def test_a_worker_gets_the_rules_and_the_manifest_their_verdict(start, service, campaigns, engine):
    row, _ = service.submit("p", asked())
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    job = fleet.jobs()[0]
    assert job.rules == Rules(no_border=True, clipped_at_most=0.1, holds=True)
    identity = {"name": "acme", "version": 1, "digest": row.brand_digest}
    assert job.brand == identity
    for _ in range(10):
        dispatcher.tick(NOW)
        fleet.paint()
    lines = list(manifest_lines(campaigns, Reviews(engine), row))
    assert len(lines) == 18
    assert all((line["brand"], line["rules"]) == (identity, None) for line in lines)


def test_a_campaign_without_a_brand_has_the_same_recipes(service):
    branded, _ = service.submit("p", asked())
    plain, _ = service.submit(
        "p",
        data(
            name="plain",
            prompt="a {color} {product}, matte",
            negative="grain",
            settings={"guidance": 5.0},
        ),
    )
    assert digests(branded) == digests(plain)
    assert branded.encoding == plain.encoding  # so that one's pictures can be the other's
    assert plain.brand is None


def digests(row):
    expansion = expansion_of(row.spec)
    return [
        (render.shot.key, render.seed, expansion.recipe(group_no, render).digest)
        for group_no, render in expansion.all_renders()
    ]


@pytest.fixture
def judged(service, campaigns, queue, settling):
    """A campaign of which every blue mug fails one rule, and one bottle two."""
    row, _ = service.submit("p", asked())
    session = queue.lead(owner="one", host="h", pid=1)
    expansion = expansion_of(row.spec)
    while claimed := queue.claim(session, [(row.id, "w")]):
        (chunk,) = claimed
        numbers = [
            render.number for render in expansion.renders(chunk.group_no, chunk.start, chunk.stop)
        ]
        painted = [verdict(outcome, expansion) for outcome in outcomes(chunk, numbers=numbers)]
        settling.settle(session, [settlement(chunk, tuple(painted), facts=asdict(Facts()))])
    return campaigns.by_id(row.id)


def verdict(outcome, expansion):
    group_no, render = expansion.render(outcome.number)
    words = render.shot.prompt
    failed = ("border@1",) if "blue mug" in words else ()
    failed = ("border@1", "clipped@1") if "red bottle" in words else failed
    state = RenderState.HELD if failed else RenderState.DONE
    return replace(
        outcome,
        digest=expansion.recipe(group_no, render).digest,
        state=state,
        reason=Reason.BRAND if failed else Reason.PAINTED,
        rules_tested=2,
        rules_failed=failed,
    )


def test_verdicts_are_stored_counted_and_chosen_by(judged, reading):
    assert (judged.done, judged.held, judged.state) == (12, 6, "awaiting_review")
    counts = reading.rules("p", "spring")
    assert (counts["brand"], counts["judged"], counts["passed"]) == ("acme@1", 18, 12)
    assert counts["rules"] == {
        "border@1": {
            "failed": 6,
            "axes": {"product": {"mug": 3, "bottle": 3}, "color": {"blue": 3, "red": 3}},
        },
        "clipped@1": {"failed": 3, "axes": {"product": {"bottle": 3}, "color": {"red": 3}}},
    }
    assert len(list(reading.manifest("p", "spring"))) == 18
    for name, count in (("border", 6), ("clipped@1", 3), ("palette", 0)):
        lines = [json.loads(line) for line in reading.manifest("p", "spring", failed_rule=name)]
        assert len(lines) == count
        assert all(line["rules"]["tested"] == 2 for line in lines)
    render = json.loads(next(reading.manifest("p", "spring", failed_rule="clipped")))
    assert render["rules"] == {"passed": 0, "tested": 2, "failed": ["border@1", "clipped@1"]}
    assert (render["state"], render["reason"]) == ("held", "brand")


def test_other_rules_judge_every_picture_again(judged, service):
    other = {**PACK, "rules": {"border": "none"}}
    _, did = service.submit("p", asked(brand=other), update=True)
    assert did["updated"] == {"kept": 0, "new": 18, "retired": 18}


def test_other_words_of_a_pack_keep_every_picture(judged, service):
    row, did = service.submit("p", asked(brand={**PACK, "banned": ["dear"]}), update=True)
    assert did["updated"] == {"kept": 18, "new": 0, "retired": 0}
    assert row.brand == "acme@2"
