"""`farm estimate` as a person reads it, and how it has a probe painted: with answers made up."""

import json
import math
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from farm.cli import app
from farm.commands import estimate as command
from farm.commands import progress
from farm.service.estimate_views import Estimate, Probe
from storage.errors import RequestError, Unreachable, WorkError
from tests.campaigns import data


def fleet(workers=2, *, pools=("gpu",), money=1.25, starting=0):
    share = {"workers": 1, "seconds": 3600.0, "money": money}
    now = time.time()
    return {
        "workers": workers, "starting": starting, "seconds": 5400.4, "eta": now, "eta_low": now,
        "eta_high": now, "given_s": 1.0, "money": money, "pools": dict.fromkeys(pools, share),
    }  # fmt: skip


def estimate(**changes):
    values = {
        "campaign": "spring", "project": "default", "renders": 1200, "proofs": 0, "reused": 0,
        "sampled": 0, "to_paint": 1200, "megapixel_steps": 1.0, "basis": "shape", "attempts": 40,
        "device_s": 7200.0, "budget_s": None, "budget_money": None, "bytes": 1_500_000,
        "now": None, "planned": None, "binds": [], "warnings": [],
    }  # fmt: skip
    return Estimate.model_validate(values | changes)


class Answers:
    """A client of a farm that paints probes as a test says."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        self.status_now = self.counted("done", done=8)

    @staticmethod
    def counted(state, **counts):
        names = ("total", "done", "failed", "held", "cancelled", "queued", "running")
        renders = SimpleNamespace(**(dict.fromkeys(names, 0) | counts))
        return SimpleNamespace(
            campaign="spring-probe-1", state=state, halted=None, waits_for=None, proofs=None,
            renders=renders, failures=[],
        )  # fmt: skip

    def estimate(self, loaded, *, workers=None):
        self.asked.append(("estimate", loaded.campaign.name, workers))
        return self.answer

    def probe(self, loaded, renders):
        self.asked.append(("probe", loaded.campaign.name, renders))
        return Probe(campaign="spring-probe-1", project="default", renders=renders, created=True)

    def status(self, name):
        self.asked.append(("status", name))
        return self.status_now


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on a campaign file, with a client that answers as told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))
    for name in ("spring", "autumn"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data(name=name)))

    def invoke(client, *words):
        @contextmanager
        def opened(settings):
            yield client

        monkeypatch.setattr(command, "open_client", opened)
        monkeypatch.setattr(command, "running_farm", lambda settings: client and "http://farm")
        return CliRunner().invoke(app, ["estimate", "spring.yaml", *words])

    return invoke


def said(run, **changes):
    result = run(Answers(estimate(**changes)))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_first_line_counts_renders_and_those_that_are_there(run):
    assert said(run).startswith("spring: 1,200 renders.\n")
    told = said(run, proofs=60, reused=1000)
    assert told.startswith("spring: 1,200 renders and 60 proofs, of which 1,000 are there already")


def test_device_time_is_told_with_what_it_is_known_by(run):
    assert "About 2 GPU hours to paint, by 40 attempts at its own shapes." in said(run)
    assert "attempts at its model, at other shapes too." in said(run, basis="model")
    without = said(run, basis="none", device_s=None, bytes=None)
    assert "GPU hours" not in without
    assert "Unknown bytes: no picture of its model is stored here in its encoding." in without
    assert "About 0 GPU hours" in said(run, device_s=0.0), "all of it is there"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2_040_000_000_000, "2,040.0 GB"),
    ],
)
def test_bytes_have_the_largest_unit_that_fits(count, text):
    assert command.bytes_text(count) == text


def test_each_fleet_has_a_row_for_each_of_its_pools(run):
    planned = fleet(9, pools=("own", "spot"), starting=7)
    lines = said(run, now=fleet(money=None), planned=planned).splitlines()
    heading = next(n for n, line in enumerate(lines) if "pool's hours" in line)
    rows = [line.split() for line in lines[heading + 2 :] if line.strip()]
    assert rows[0][:4] == ["now", "2", "5,400", "s"]
    assert rows[0][-2:] == ["gpu", "1"], "no money without prices"
    assert rows[1][:2] == ["planned", "9"]
    assert rows[1][-3:] == ["own", "1", "1.25"]
    assert rows[2] == ["spot", "1", "1.25"], "the fleet itself is told once"


def test_a_fleet_of_which_nothing_is_known_has_no_row(run):
    told = said(run, planned=fleet())
    assert "planned" in told
    assert "now" not in told
    assert "pool's hours" not in said(run)


def test_what_binds_comes_last_a_line_each_and_is_never_markup(run):
    binds = [{"rule": "quota", "text": "The project [red]p[/] may have 1."},
             {"rule": "review", "text": "It waits."}]  # fmt: skip
    lines = said(run, binds=binds).splitlines()
    assert lines[-2:] == ["- The project [red]p[/] may have 1.", "- It waits."]


def test_a_program_gets_the_answer_as_it_is_with_times_in_words(run):
    result = run(Answers(estimate(now=fleet())), "--json", "--workers", "7")
    told = json.loads(result.stdout)
    assert told["now"]["eta"].endswith("Z")
    assert (told["device_s"], told["planned"], told["binds"]) == (7200.0, None, [])
    assert len(result.stdout.splitlines()) == 1


def test_warnings_are_told_beside_the_answer(run):
    warned = [{"path": ["vary", "color"], "message": "One value alone."}]
    result = run(Answers(estimate(warnings=warned)), "--json")
    assert "One value alone." in result.stderr
    assert json.loads(result.stdout)["warnings"][0]["message"] == "One value alone."


def test_workers_and_changes_of_the_file_go_with_the_question(run):
    client = Answers(estimate())
    run(client, "--workers", "7", "--name", "other")
    assert client.asked == [("estimate", "other", 7)]
    several = Answers(estimate())
    assert run(several, "autumn.yaml", "--json").exit_code == 0
    assert [name for _, name, _ in several.asked] == ["spring", "autumn"]


@pytest.mark.parametrize(
    "words", [("--workers", "0"), ("--workers", "1001"), ("--probe", "0"), ("--probe", "1001")]
)
def test_numbers_out_of_bounds_ask_nothing(run, words):
    client = Answers(estimate())
    assert run(client, *words).exit_code == 2
    assert client.asked == []


# --- probes ---


def test_a_probe_is_painted_before_the_estimate_is_asked_for(run):
    client = Answers(estimate())
    result = run(client, "--probe", "8")
    assert result.exit_code == 0, result.output
    assert [asked[0] for asked in client.asked] == ["probe", "status", "estimate"]
    assert client.asked[0] == ("probe", "spring", 8)
    assert "8 renders were painted as spring-probe-1; the campaign reuses them." in " ".join(
        result.stderr.split()
    )


def test_a_probe_for_a_program_says_nothing_beside_the_answer(run):
    result = run(Answers(estimate()), "--probe", "8", "--json")
    assert json.loads(result.stdout)["campaign"] == "spring"
    assert result.stderr == ""


@pytest.mark.parametrize("halted", [None, "The model is away."])
def test_a_probe_of_which_nothing_was_painted_gives_no_estimate(run, halted):
    client = Answers(estimate())
    client.status_now = client.counted("failed", failed=8)
    client.status_now.halted = halted
    result = run(client, "--probe", "8", "--json")
    assert isinstance(result.exception, WorkError)
    assert "spring-probe-1 is failed" in str(result.exception)
    assert (halted or "`farm why spring-probe-1` says why.") in str(result.exception)
    assert [asked[0] for asked in client.asked] == ["probe", "status"]


def test_a_probe_that_painted_some_is_something_to_go_by(run):
    client = Answers(estimate())
    client.status_now = client.counted("failed", done=3, failed=5)
    result = run(client, "--probe", "8")
    assert "3 renders were painted" in result.stderr
    assert client.asked[-1][0] == "estimate"


def test_waiting_for_a_probe_ends_after_the_time_that_is_given(run, monkeypatch):
    client = Answers(estimate())
    client.status_now = client.counted("running", queued=8)
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress, "time", SimpleNamespace(
        monotonic=lambda: next(clock, math.inf), sleep=lambda seconds: None
    ))  # fmt: skip
    result = run(client, "--probe", "8", "--timeout", "90s", "--json")
    assert result.exit_code == progress.ExitCode.TIMED_OUT
    told = " ".join(result.stderr.split())
    assert "spring-probe-1 is not over after 90s." in told
    assert "`farm cancel spring-probe-1` stops it" in told
    assert result.stdout == ""


def test_whoever_interrupts_a_probe_is_told_that_it_goes_on(run):
    client = Answers(estimate())

    def interrupted(name):
        raise KeyboardInterrupt

    client.status = interrupted
    result = run(client, "--probe", "8")
    assert result.exit_code == progress.ExitCode.INTERRUPTED
    assert "`farm watch spring-probe-1` follows it again" in " ".join(result.stderr.split())


def test_a_probe_needs_a_farm_and_a_time_limit_needs_a_probe(run):
    assert isinstance(run(None, "--probe", "8").exception, Unreachable)
    refused = run(Answers(estimate()), "--timeout", "90s").exception
    assert isinstance(refused, RequestError)
    assert "give both" in str(refused)
