"""Every alert fires if it should, stays quiet before, and resolves after: with promtool, which
evaluates the very rules minute by minute.
"""

import os
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest
import yaml

from dashboards.alerts import alerts
from dashboards.build import ROOT
from farm.scheduling.alerts import RULES, Sample, seen_now

J = 'job="seedbed"'
M = f'{J},project="p",model="m@1"'
A = f'{J},model="m@1"'


class Story(NamedTuple):
    """What is served, minute by minute as promtool writes it; the minutes at which the alert is
    quiet, fires, and is quiet again; and how often rules are evaluated: of days, less often.
    """

    series: dict[str, str]
    quiet: int
    fires: int
    over: int
    every: str = "1m"


def renders(outcome):
    return f'farm_renders_total{{{M},stage="final",outcome="{outcome}"}}'


def attempts(outcome):
    return f'farm_attempts_total{{{A},outcome="{outcome}"}}'


def gauge(name, value, labels=J, usual=0):
    """A gauge that leaves its usual value for an hour."""
    return {f"{name}{{{labels}}}": f"{usual}x59 {value}x59 {usual}x59"}


def failing(outcome):
    """Ten failures a minute for an hour."""
    return {attempts(outcome): "0x59 10+10x59 600x90"}


def lasting(series):
    return Story(series, quiet=50, fires=115, over=178)


def slow(name, labels, count="60"):
    """A histogram's operations that each take ten seconds for an hour, and a millisecond else."""
    return {
        f"{name}_count{{{J},{labels}}}": f"0+{count}x178",
        f"{name}_sum{{{J},{labels}}}": "0+0.06x59 10+600x59 36000+0.06x60",
    }


def rising(name, labels):
    """A counter that rises for an hour."""
    return {f"{name}{{{J},{labels}}}": "0x59 10+10x59 600x60"}


WAIT = f"farm_queue_wait_seconds{{{M}}}"
PAINTING = {renders("done"): "0+60x1000"}
STORIES = {
    "FarmMetricsAbsent": Story({f"farm_leads{{{J}}}": "1x59 _x59 1x59"}, 50, 115, 130),
    "FarmDispatcherGone": lasting(gauge("farm_leads", 0, usual=1)),
    "FarmTwoLeaders": lasting(
        gauge("farm_leads", 1, f'{J},instance="a"', usual=1)
        | gauge("farm_leads", 1, f'{J},instance="b"')
    ),
    "FarmDatabaseAway": lasting(gauge("farm_database_up", 0, usual=1)),
    "FarmConnectionsFull": lasting(
        gauge("farm_connections", 95) | gauge("farm_connections_allowed", 100, usual=100)
    ),
    "FarmNothingPainted": lasting(
        {WAIT: "0x59 700+60x59 0x59", renders("done"): "0+60x59 3540x59 3540+60x59"}
    ),
    "FarmQueueOld": lasting({WAIT: "0x59 1900x59 0x59", **PAINTING}),
    "FarmDeviceIdleWhileQueued": lasting(
        gauge("farm_workers", 9, f'{J},pool="a",state="idle"')
        | gauge("farm_workers", 1, f'{J},pool="a",state="painting"', usual=10)
        | {WAIT: "0x59 100x59 0x59"}
    ),
    "FarmCampaignStopped": lasting(gauge("farm_queue_renders", 5, f'{M},state="stopped"')),
    "FarmBudgetNearlySpent": lasting(gauge("farm_budget_used_ratio", 0.95, f'{J},project="p"')),
    "FarmDeadlineAtRisk": lasting(
        gauge("farm_deadline_margin_seconds", -300, f'{J},project="p"', usual=600)
    ),
    "FarmQuotaNearlySpent": lasting(
        gauge("farm_quota_used_ratio", 0.95, f'{J},project="p",limit="queued"')
    ),
    "FarmDeliveriesFailing": lasting(
        gauge("farm_deliveries", 3, f'{J},to="webhook",state="failing"')
    ),
    "FarmFleetBelowWanted": lasting(
        gauge("farm_workers_wanted", 4, f'{J},pool="a"', usual=1)
        | {f'farm_workers{{{J},pool="a",state="idle"}}': "1x180"}
    ),
    "FarmPoolDoesNotDeliver": Story(
        {f'farm_scaling_decisions_total{{{J},pool="a",decision="cool"}}': "0x59 1x120"},
        50, 90, 150,
    ),
    "FarmStartsFail": lasting({f"farm_failed_starts_total{{{J}}}": "0x59 1+1x59 60x60"}),
    "FarmLoopSlow": lasting(
        slow("farm_dispatch_step_seconds", 'step="look"')
        | slow("farm_dispatch_step_seconds", 'step="collect"')
    ),
    "FarmDatabaseSlow": lasting(slow("farm_database_seconds", 'process="api",kind="select"')),
    "FarmDatabaseErrors": lasting(
        rising("farm_database_errors_total", 'process="api",kind="select"')
    ),
    "FarmStorageSlow": lasting(
        slow("farm_outputs_seconds", 'process="worker",operation="write"')
    ),
    "FarmStorageErrors": lasting(
        rising("farm_outputs_errors_total", 'process="worker",operation="write"')
    ),
    "FarmApiFailing": lasting(
        rising("farm_api_answers_total", 'route="/a",method="GET",status="503"')
        | {f'farm_api_answers_total{{{J},route="/a",method="GET",status="200"}}': "0+60x180"}
    ),
    "FarmApiSlow": lasting(
        {
            f'farm_api_seconds_bucket{{{J},route="/a",le="0.1"}}': "0+10x59 600x59 600+10x60",
            f'farm_api_seconds_bucket{{{J},route="/a",le="10"}}': "0+10x179",
            f'farm_api_seconds_bucket{{{J},route="/a",le="+Inf"}}': "0+10x179",
        }
    ),
    "FarmQuarantine": lasting(gauge("farm_workers", 1, f'{J},pool="a",state="quarantined"')),
    "FarmWorkersDoNotStart": lasting(gauge("farm_workers", 2, f'{J},pool="a",state="starting"')),
    "FarmNumericsSplit": lasting(gauge("farm_numerics_classes", 2, f'{J},pool="a"', usual=1)),
    "FarmFailuresFast": Story(
        {**PAINTING, renders("failed"): "0x59 30+30x59 1800x600"}, 50, 115, 600
    ),
    "FarmFailuresSlow": Story(
        {renders("done"): "0+60x9000", renders("failed"): "0x59 1+1x1500 1500x7000"},
        50, 1500, 7000, "5m",
    ),
    "FarmStorageFailing": lasting(failing("outputs")),
    "FarmStaleWrites": lasting(failing("stale")),
    "FarmWorkersLost": lasting(failing("stuck")),
    "FarmModelCannotBeLoaded": lasting(failing("out_of_memory")),
    "FarmCanaryFailed": lasting(failing("numerics")),
}  # fmt: skip
QUIET = {
    "FarmNothingPainted": {WAIT: "900x180", **PAINTING},
    "FarmFailuresFast": {renders("done"): "0x180", renders("failed"): "0x59 1x120"},
    "FarmDeviceIdleWhileQueued": {
        f'farm_workers{{{J},pool="a",state="idle"}}': "9x180",
        WAIT: "0x180",
    },
    "FarmStaleWrites": {attempts("stale"): "0x59 1x120"},
    "FarmQuotaNearlySpent": {
        f'farm_quota_used_ratio{{{J},project="p",limit="workers"}}': "1x180",
    },
    "FarmLoopSlow": slow("farm_dispatch_step_seconds", 'step="collect"')
    | {f'farm_dispatch_step_seconds_count{{{J},step="look"}}': "0+60x180"},
    "FarmApiFailing": rising("farm_api_answers_total", 'route="/a",method="GET",status="404"'),
}


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        assert "CI" not in os.environ, "promtool is missing: apt-get install prometheus"
        pytest.skip("promtool is missing: apt-get install prometheus")
    return found


def run(promtool, tmp_path, tests, every="1m"):
    rules = [str(ROOT / "rules" / name) for name in ("recording.yaml", "alerts.yaml")]
    text = {"rule_files": rules, "evaluation_interval": every, "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(text))
    asked = [promtool, "test", "rules", str(tmp_path / "tests.yaml")]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def firing(alert, minutes):
    query = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return [
        {
            "expr": query,
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": count}],
        }
        for minute, count in minutes.items()
    ]


def told_of(alert, series, minutes):
    served = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": served, "promql_expr_test": firing(alert, minutes)}


def test_every_alert_has_its_story():
    assert {alert.name for alert in alerts()} == set(STORIES)


@pytest.mark.parametrize("alert", STORIES)
def test_an_alert_fires_in_its_time_and_resolves(alert, promtool, tmp_path):
    story = STORIES[alert]
    minutes = {story.quiet: 0, story.fires: 1, story.over: 0}
    told = [told_of(alert, story.series, minutes)]
    done = run(promtool, tmp_path, told, story.every)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", QUIET)
def test_an_alert_stays_quiet_about_what_is_no_fault(alert, promtool, tmp_path):
    minutes = dict.fromkeys((30, 90, 150), 0)
    done = run(promtool, tmp_path, [told_of(alert, QUIET[alert], minutes)])
    assert done.returncode == 0, done.stdout + done.stderr


def page_at(series, minute):
    """What a page of metrics says in a minute of a story."""
    page = {}
    for text, values in series.items():
        name, labels = text.removesuffix("}").split("{")
        told = [value for part in values.split() for value in spread(part)]
        if minute < len(told):
            page.setdefault(name, []).append(Sample(labels_of(labels), told[minute]))
    return page


def spread(part):
    """`5x3` is four times 5; `0+2x3` is 0, 2, 4, 6."""
    start, times = part.split("x")
    first, _, step = start.partition("+")
    return [float(first) + float(step or 0) * k for k in range(int(times) + 1)]


def labels_of(text):
    return dict(re.findall(r'(\w+)="([^"]*)"', text))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_one_look_tells_is_what_the_alert_says(rule):
    (alert,) = [one for one in alerts() if one.name == rule.name]
    assert (alert.severity, alert.lasting) == (rule.severity, f"{rule.lasting_s // 60}m")
    story = STORIES[rule.name]
    for minute, is_seen in ((story.quiet, False), (story.fires, True), (story.over, False)):
        told = [one.rule.name for one in seen_now(page_at(story.series, minute))]
        assert (rule.name in told) is is_seen
    for minute in (30, 90, 150):
        page = page_at(QUIET.get(rule.name, {}), minute)
        assert rule.name not in [one.rule.name for one in seen_now(page)]


def test_a_story_that_is_wrong_is_found(promtool, tmp_path):
    story = STORIES["FarmDispatcherGone"]
    wrong = told_of("FarmDispatcherGone", story.series, {story.quiet: 1})
    assert run(promtool, tmp_path, [wrong]).returncode != 0


@pytest.mark.parametrize("name", ["recording.yaml", "alerts.yaml"])
def test_prometheus_takes_the_rules(name, promtool):
    subprocess.run([promtool, "check", "rules", str(ROOT / "rules" / name)], check=True)
