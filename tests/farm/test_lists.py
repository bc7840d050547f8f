"""Lists a page at a time: what fits, in order, each entry once, however the list grows."""

import httpx
import numpy as np
import pytest

from farm.app import open_app, serve
from farm.campaign.specs import expansion_of
from farm.client.client import Client
from farm.config import read_settings
from farm.service import lists as lists_module
from farm.service.lists import Lists, RenderFilter
from storage.errors import RequestError
from storage.listing import CampaignFilter, EndedFilter, Listing
from storage.reviews import NewDecision, Outcome, Reviews
from storage.states import CampaignState, Reason, RenderState, Verdict
from tests.answers import refused
from tests.campaigns import campaign, data
from tests.farm.fakes import FakeFleet

# --- renders ---


@pytest.fixture
def lists(engine, campaigns, reading):
    return Lists(
        listing=Listing(engine), campaigns=campaigns, reviews=Reviews(engine), reading=reading
    )


def numbers(lists, chosen=None, *, limit=1000, name="spring", **changes):
    """The numbers of all pages, which are asked for one after the other."""
    chosen = chosen or RenderFilter(**changes)
    found, after = [], -1
    while after is not None:
        page = lists.renders("p", name, chosen, after=after, limit=limit)
        assert len(page.items) <= limit
        found += [item["number"] for item in page.items]
        after = page.next
    return found


def test_renders_that_wait_are_listed_with_what_is_known_of_them(lists, campaign, campaigns):
    page = lists.renders("p", "spring", RenderFilter(), after=-1, limit=4)
    expansion = expansion_of(campaigns.get("p", "spring").spec)
    assert [item["number"] for item in page.items] == [0, 1, 2, 3]
    assert page.next == 3
    for item in page.items:
        _, render = expansion.render(item["number"])
        assert (item["seed"], item["shot"]) == (render.seed, render.shot.key)
        assert (item["state"], item["key"], item["reason"]) == ("queued", None, None)
        assert item["coordinates"]["product"] == "mug"


@pytest.mark.parametrize("limit", [1, 5, 17, 18, 19, 1000])
def test_every_render_is_listed_once_whatever_the_page(lists, campaign, limit):
    assert numbers(lists, limit=limit) == list(range(18))


@pytest.mark.parametrize(
    ("first", "stop", "expected"),
    [(3, 7, [3, 4, 5, 6]), (16, None, [16, 17]), (0, 0, []), (7, 3, []), (99, 200, [])],
)
def test_a_window_is_by_number(lists, campaign, first, stop, expected):
    assert numbers(lists, first=first, stop=stop, limit=3) == expected


def test_axes_and_seeds_choose(lists, campaign, campaigns):
    expansion = expansion_of(campaigns.get("p", "spring").spec)
    red = [n for n in range(18) if expansion.render(n)[1].shot.coordinates["color"] == "red"]
    assert numbers(lists, where=("color=red",), limit=2) == red
    seed = expansion.render(4)[1].seed
    of_seed = [n for n in range(18) if expansion.render(n)[1].seed == seed]
    assert numbers(lists, seed=seed) == of_seed
    assert numbers(lists, seed=seed, where=("color=red",)) == sorted({*red} & {*of_seed})
    assert numbers(lists, seed=4_000_000_000) == []
    with pytest.raises(RequestError, match="no axis 'colour': did you mean 'color'"):
        numbers(lists, where=("colour=red",))
    with pytest.raises(RequestError, match="did you mean 'red'"):
        numbers(lists, where=("color=rad",))


def test_seeds_that_differ_from_shot_to_shot_are_worked_out(lists, service, monkeypatch):
    monkeypatch.setattr(lists_module, "_WORKED_OUT", 4)
    row, _ = service.submit("p", data(name="own", seeds={"count": 2, "per": ["color"]}))
    expansion = expansion_of(row.spec)
    seed = expansion.render(11)[1].seed
    expected = [n for n in range(12) if expansion.render(n)[1].seed == seed]
    assert numbers(lists, name="own", seed=seed) == expected


def test_empty_places_are_passed_over(lists, service):
    row, _ = service.submit("p", data(name="gaps", skip=[{"product": "mug", "color": "red"}]))
    assert row.total == 15
    assert numbers(lists, name="gaps", limit=4) == list(range(3, 18))


def test_states_and_what_is_known_of_pictures_choose(lists, resting, campaigns, engine):
    row = resting()
    assert numbers(lists, ended=EndedFilter(state=RenderState.DONE), limit=7) == list(range(48))
    assert numbers(lists, ended=EndedFilter(state=RenderState.QUEUED)) == []
    assert numbers(lists, ended=EndedFilter(state=RenderState.REJECTED)) == []
    assert numbers(lists, ended=EndedFilter(reason=Reason.PAINTED), limit=11) == list(range(48))
    assert numbers(lists, ended=EndedFilter(reason=Reason.BRAND)) == []
    measure(engine, row.id, {3: (0.1, None), 20: (0.4, "clipped@1"), 40: (0.8, "border@1")})
    assert numbers(lists, ended=EndedFilter(drift_above=0.1)) == [20, 40]
    assert numbers(lists, ended=EndedFilter(drift_above=0.05, drift_below=0.5)) == [3, 20]
    assert numbers(lists, ended=EndedFilter(failed_rule="clipped")) == [20]
    assert numbers(lists, ended=EndedFilter(failed_rule="border@1")) == [40]
    assert numbers(lists, ended=EndedFilter(failed_rule="border@2")) == []
    assert numbers(lists, first=10, ended=EndedFilter(drift_above=0), limit=1) == [20, 40]
    items = lists.renders("p", row.name, RenderFilter(first=20), after=-1, limit=1).items
    assert (items[0]["drift"], items[0]["rules_failed"]) == (0.4, ["clipped@1"])
    assert items[0]["key"].endswith(".png")


def measure(engine, campaign_id, measured):
    from sqlalchemy import update

    from storage.tables import renders

    with engine.begin() as connection:
        for number, (drift, failed) in measured.items():
            mine = (renders.c.campaign_id == campaign_id) & (renders.c.number == number)
            values = {"drift": drift, "rules_failed": failed, "rules_tested": 2}
            connection.execute(update(renders).where(mine).values(values))


def test_what_a_worker_has_is_running_and_what_nobody_wants_is_cancelled(
    lists, campaign, start, campaigns, control
):
    dispatcher = start(FakeFleet(1))
    for now in range(3):
        dispatcher.tick(float(now))
    leased = campaigns.under_way(campaign.id)
    assert leased
    running = numbers(lists, ended=EndedFilter(state=RenderState.RUNNING))
    assert len(running) == sum(chunk.total for chunk in leased)
    rest = [n for n in range(18) if n not in running]
    assert numbers(lists, ended=EndedFilter(state=RenderState.QUEUED)) == rest
    control.cancel(campaign.id)
    assert numbers(lists, ended=EndedFilter(state=RenderState.CANCELLED)) == rest


class NoPlan:
    def chunks(self, numbers):
        return ()

    def numbers(self, chunk):
        return []


def test_decisions_choose(lists, resting, engine):
    row = resting()
    reviews = Reviews(engine)
    for k, (verdict, some) in enumerate([("approved", [1, 2, 30]), ("rejected", [5])]):
        new = NewDecision(
            client="c", sequence=k, verdict=Verdict(verdict), undoes=None, reason=None, note=None,
            reviewer=None, chosen_by={},
        )  # fmt: skip
        chosen = Outcome(np.array(some, np.int64), {})
        reviews.decide(row.id, new, 48, lambda *_, chosen=chosen: chosen, NoPlan())
    assert numbers(lists, verdict=Verdict.APPROVED, limit=2) == [1, 2, 30]
    assert numbers(lists, verdict=Verdict.REJECTED) == [5]
    undecided = numbers(lists, is_undecided=True)
    assert undecided == [n for n in range(48) if n not in (1, 2, 5, 30)]
    items = lists.renders("p", row.name, RenderFilter(first=1), after=-1, limit=1).items
    assert items[0]["review"] == "approved"


def test_a_page_examines_so_many_and_no_more(lists, resting, monkeypatch):
    monkeypatch.setattr(lists_module, "_EXAMINED", 10)
    row = resting()
    asked = []
    listing = lists._listing
    ended = listing.ended
    monkeypatch.setattr(listing, "ended", lambda *given: asked.append(given[1]) or ended(*given))
    chosen = RenderFilter(ended=EndedFilter(reason=Reason.BRAND))
    page = lists.renders("p", row.name, chosen, after=-1, limit=5)
    assert (page.items, page.next) == ([], 9)
    assert sum(map(len, asked)) == 10
    assert numbers(lists, chosen) == []
    assert numbers(lists) == list(range(48))


# --- campaigns ---


@pytest.fixture
def many(service):
    for k in range(7):
        service.submit("p", data(name=f"spring-{k}" if k % 2 else f"autumn-{k}"))


def names(lists, chosen=None, state=None, limit=3):
    found, before = [], None
    while True:
        page = lists.campaigns(chosen or CampaignFilter(), state, before, limit)
        found += [item["campaign"] for item in page.items]
        before = page.next
        if before is None:
            return found


def test_campaigns_come_newest_first_and_each_once(lists, many):
    expected = [f"{'spring' if k % 2 else 'autumn'}-{k}" for k in range(6, -1, -1)]
    for limit in (1, 2, 3, 6, 7, 8):
        assert names(lists, limit=limit) == expected


def test_campaigns_that_come_meanwhile_move_none_to_another_page(lists, many, service):
    first = lists.campaigns(CampaignFilter(), None, None, 3)
    service.submit("p", data(name="later"))
    second = lists.campaigns(CampaignFilter(), None, first.next, 10)
    assert [item["campaign"] for item in first.items + second.items] == [
        f"{'spring' if k % 2 else 'autumn'}-{k}" for k in range(6, -1, -1)
    ]


def test_campaigns_are_chosen_by_what_is_asked(lists, many, service, campaigns, control):
    service.submit("q", data(name="other-one"))
    assert names(lists, CampaignFilter(project="q")) == ["other-one"]
    assert names(lists, CampaignFilter(projects=frozenset("q"))) == ["other-one"]
    assert names(lists, CampaignFilter(projects=frozenset())) == []
    assert names(lists, CampaignFilter(text="SPRING")) == ["spring-5", "spring-3", "spring-1"]
    assert names(lists, CampaignFilter(text="r-o")) == ["other-one"]
    for wildcard in ("%", "_", "spring_"):
        assert names(lists, CampaignFilter(text=wildcard)) == []
    control.pause(campaigns.get("p", "spring-3").id)
    assert names(lists, state=CampaignState.PAUSED, limit=1) == ["spring-3"]
    since = campaigns.get("p", "autumn-6").created_at
    assert names(lists, CampaignFilter(since=since)) == ["other-one", "autumn-6"]


# --- over HTTP ---


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    home = tmp_path_factory.mktemp("lists") / "home"
    with open_app(read_settings(home=home)) as app, serve(app, 0) as url, Client(url) as client:
        for k in range(5):
            client.submit(campaign(name=f"spring-{k}"))
        yield url


def test_the_header_link_leads_through_the_pages(url):
    with httpx.Client(base_url=url) as http:
        path, found = "/api/v1/campaigns/spring-0/renders?limit=5&where=color%3Dred", []
        while path:
            answer = http.get(path)
            found += [item["number"] for item in answer.raise_for_status().json()]
            path = answer.links.get("next", {}).get("url")
    assert found == [0, 1, 2, 6, 7, 8, 12, 13, 14]


def test_the_client_reads_all_pages(url, monkeypatch):
    from farm.client import list_calls

    monkeypatch.setattr(list_calls, "_AT_ONCE", 2)
    with Client(url) as client:
        newest = [f"spring-{k}" for k in range(4, -1, -1)]
        assert [row.campaign for row in client.campaigns()] == newest
        assert [row.campaign for row in client.campaigns(limit=3)] == newest[:3]
        assert [row.campaign for row in client.campaigns(text="g-2", all_projects=True)] == [
            "spring-2"
        ]
        assert client.campaigns(state="done") == []
        red = client.renders("spring-0", where=["color=red"], numbers=range(1, 10))
        assert [item.number for item in red] == [1, 2, 6, 7, 8]
        assert {item.state for item in client.renders("spring-0@1", state="queued")} == {"queued"}


@pytest.mark.parametrize("cursor", ["abc", "cm4", "x" * 40, "LTE"])
def test_a_cursor_of_another_list_is_refused(url, cursor):
    for path in ("campaigns/spring-0/renders", "campaigns"):
        answer = httpx.get(f"{url}/api/v1/{path}", params={"cursor": cursor})
        assert refused(answer, 422, "invalid")["problems"][0]["path"] == ["cursor"]
