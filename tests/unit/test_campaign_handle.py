"""A campaign as an object of a program, with a farm that answers as a test says."""

import builtins
from types import SimpleNamespace

import pytest

from farm.client.campaign import POLL_S, CampaignHandle, SheetPicture
from farm.service.list_views import RenderItem
from storage.errors import RequestError, WorkError


def item(number, **changes):
    values = {
        "number": number, "state": "done", "reason": "painted", "detail": None, "shot": "red",
        "coordinates": {"color": "red", "seed": number}, "seed": 7, "version": 1, "review": None,
        "drift": 0.5, "rules_failed": [], "key": f"k{number}.png", "bytes": 3, "finished_at": 1.0,
    }  # fmt: skip
    return RenderItem(**{**values, **changes})


class Farm:
    """Says one state after the other, the last one again and again, and notes what it is asked."""

    url = "http://farm"

    def __init__(self, *states, items=(), has_proofs=True):
        self.states, self.items, self.asked = list(states), list(items), []
        self.has_proofs = has_proofs

    def status(self, name):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        halted = "its disk is full." if state == "stopped" else None
        undecided = 4 if state == "awaiting_review" and self.has_proofs else 0
        left = 2 if state in ("queued", "running", "stopped") else 0
        counts = SimpleNamespace(left=left, undecided=undecided)
        return SimpleNamespace(state=state, halted=halted, renders=counts)

    def renders(self, name, numbers=None, **chosen):
        self.asked.append(("renders", name, chosen))
        return iter([one for one in self.items if numbers is None or one.number in numbers])

    def output(self, key):
        return key.encode()

    def sheet(self, name, **how):
        self.asked.append(("sheet", name, how))
        return b"\x89PNG"

    def __getattr__(self, verb):
        def order(name, *given, **named):
            self.asked.append((verb, name, *given, named))
            return verb

        return order


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def handle(farm):
    clock = Clock()
    return CampaignHandle(farm, "spring", clock=clock, sleep=clock.sleep), clock


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_waiting_ends_when_nothing_is_left(end):
    campaign, clock = handle(Farm("queued", "running", "running", end))
    assert campaign.wait(timeout=60).state == end
    assert clock.now == 3 * POLL_S


@pytest.mark.parametrize(
    ("state", "words"), [("stopped", "its disk is full"), ("awaiting_review", "approve or reject")]
)
def test_waiting_ends_when_a_person_is_needed(state, words):
    campaign, _ = handle(Farm("running", state))
    with pytest.raises(WorkError, match=words) as needed:
        campaign.wait()
    assert needed.value.code == "needs-person"


def test_waiting_ends_when_only_held_pictures_are_left():
    campaign, _ = handle(Farm("running", "awaiting_review", has_proofs=False))
    assert campaign.wait().state == "awaiting_review"


@pytest.mark.parametrize("timeout", [0, 1.5, 10])
def test_waiting_ends_after_its_time(timeout):
    campaign, clock = handle(Farm("running"))
    with pytest.raises(WorkError, match=f"running after {timeout:g} seconds") as late:
        campaign.wait(timeout)
    assert late.value.code == "timeout"
    assert timeout <= clock.now < timeout + POLL_S


def test_renders_are_chosen_as_by_the_client():
    farm = Farm("done", items=[item(0), item(1)])
    campaign, _ = handle(farm)
    assert [one.number for one in campaign.renders(state="done", where=["color=red"])] == [0, 1]
    assert farm.asked == [("renders", "spring", {"state": "done", "where": ["color=red"]})]


def test_a_picture_is_read_by_number_or_by_its_render():
    campaign, _ = handle(Farm("done", items=[item(0), item(1, key=None)]))
    assert campaign.picture(0) == campaign.picture(item(0)) == b"k0.png"
    with pytest.raises(RequestError, match="render 1 of spring has no picture"):
        campaign.picture(1)
    with pytest.raises(RequestError, match="has no render 9"):
        campaign.picture(9)


def test_a_table_has_a_column_for_each_axis_and_loses_none():
    campaign, _ = handle(Farm("done", items=[item(0), item(5)]))
    table = campaign.to_pandas()
    assert list(table["number"]) == [0, 5]
    assert list(table["color"]) == ["red", "red"]
    assert list(table["axis.seed"]) == [0, 5]
    assert list(table["seed"]) == [7, 7]
    assert "coordinates" not in table


def test_without_pandas_the_client_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *given):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *given)

    campaign, _ = handle(Farm("done"))
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(RequestError, match="pip install pandas"):
        campaign.to_pandas()


def test_a_sheet_is_shown_by_a_notebook():
    farm = Farm("done")
    sheet = handle(farm)[0].sheet(rows="color")
    assert farm.asked == [("sheet", "spring", {"rows": "color"})]
    assert sheet == SheetPicture(b"\x89PNG")
    assert sheet._repr_png_() == b"\x89PNG"
    assert sheet._repr_html_() == '<img alt="contact sheet" src="data:image/png;base64,iVBORw==">'


def test_orders_go_to_the_farm_under_its_name():
    farm = Farm("done")
    campaign, _ = handle(farm)
    campaign.approve([1], note="fine")
    campaign.reject(where=["color=red"])
    for order in (campaign.pause, campaign.resume, campaign.cancel):
        order()
    assert farm.asked == [
        ("approve", "spring", [1], {"note": "fine"}),
        ("reject", "spring", None, {"where": ["color=red"]}),
        ("pause", "spring", {}), ("resume", "spring", {}), ("cancel", "spring", {}),
    ]  # fmt: skip
    assert repr(campaign) == "<campaign spring at http://farm>"
