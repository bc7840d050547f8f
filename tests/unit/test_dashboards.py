"""Dashboards, rules and alerts: as they are built, and that they can answer."""

import json
import re

import _gojsonnet as gojsonnet
import pytest
import yaml

from dashboards.alerts import alerts, inhibitions, recordings, rule_files
from dashboards.boards import BOARDS
from dashboards.build import KUBERNETES, ROOT, alertmanager, board_json, files, kubernetes
from dashboards.config import Config
from tests.queries import alert_faults, board_faults, documented, faults, names_in, panels_of

SERIES = documented()
RECORDED = frozenset(rule["record"] for rule in recordings())
RULES = [rule for file in rule_files().values() for group in file["groups"]
         for rule in group["rules"]]  # fmt: skip
ALERTS = [rule for rule in RULES if "alert" in rule]
MADE = {board.name: json.loads(board_json(board)) for board in BOARDS}
QUERIES = [
    (name, panel["title"], target["expr"])
    for name, board in MADE.items()
    for panel in panels_of(board)
    for target in panel["targets"]
]
UNSHOWN = {
    # `farm:queue_is_fresh:bool` is for those who report on objectives (docs/slo.md).
}


@pytest.mark.parametrize("name", files())
def test_what_is_committed_is_what_the_code_builds(name):
    assert (ROOT / name).read_text() == files()[name], "run `make dashboards`"


@pytest.mark.parametrize("name", kubernetes())
def test_what_kubernetes_gets_is_what_the_code_builds(name):
    assert (KUBERNETES / name).read_text() == kubernetes()[name], "run `make dashboards`"


def test_kubernetes_gets_the_same_rules_and_dashboards():
    made = [one for name in kubernetes() for one in yaml.safe_load_all(kubernetes()[name])]
    rules = [one["spec"] for one in made if one["kind"] == "PrometheusRule"]
    boards = [json.loads(text) for one in made if one["kind"] == "ConfigMap"
              for text in one["data"].values()]  # fmt: skip
    assert rules == list(rule_files().values())
    assert boards == list(MADE.values())
    assert all(len(json.dumps(board)) < 2**20 for board in boards), "a map has a megabyte at most"


def test_alertmanager_has_a_receiver_for_each_route_and_the_same_inhibitions():
    made = alertmanager()
    assert made["route"]["receiver"] in {one["name"] for one in made["receivers"]}
    assert made["inhibit_rules"] == inhibitions()["inhibit_rules"]


def test_nothing_that_was_built_before_lies_about():
    kept = {path.relative_to(ROOT).as_posix() for kind in ("json", "yaml", "libsonnet")
            for path in ROOT.rglob(f"*.{kind}")}  # fmt: skip
    assert kept == set(files())


@pytest.mark.parametrize("board", MADE)
def test_a_dashboard_has_what_linters_ask_for(board):
    assert board_faults(MADE[board]) == []
    assert MADE[board]["uid"] == f"seedbed-{board}"
    assert MADE[board]["links"]


@pytest.mark.parametrize(("board", "title", "query"), QUERIES)
def test_a_panel_asks_for_what_is_served(board, title, query):
    assert faults(query, SERIES, RECORDED) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_is_served(rule):
    assert faults(rule["expr"], SERIES, RECORDED) == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule):
    assert alert_faults(rule) == []
    runbook = ROOT.parent / "docs" / "runbooks" / rule["annotations"]["runbook_url"].split("/")[-1]
    parts = re.findall(r"^## (.*)$", runbook.read_text(), re.MULTILINE)
    assert parts == ["Meaning", "Impact", "How to look", "How to act"]
    assert rule["annotations"]["dashboard_url"].split("/")[-1] in {
        board["uid"] for board in MADE.values()
    }


def test_every_runbook_is_of_an_alert():
    books = {path.stem for path in (ROOT.parent / "docs" / "runbooks").glob("*.md")}
    assert books == {alert.name for alert in alerts()}


def test_every_series_is_on_a_panel_or_in_a_rule():
    asked = set().union(*(names_in(query) for _, _, query in QUERIES))
    asked |= set().union(*(names_in(rule["expr"]) for rule in RULES))
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) for name in SERIES}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert whole - shown == set(UNSHOWN)


def test_alerts_that_are_silenced_and_their_causes_are_alerts():
    names = {alert.name for alert in alerts()}
    for rule in inhibitions()["inhibit_rules"]:
        source = re.search('"(.*)"', rule["source_matchers"][0])[1]
        targets = re.search('"(.*)"', rule["target_matchers"][0])[1]
        assert source in names
        assert any(re.fullmatch(targets, name) for name in names - {source})
        if targets != "Farm.+":
            assert set(targets.split("|")) <= names


def test_another_job_is_another_in_every_rule():
    made = yaml.safe_dump(rule_files(Config(job="painting")))
    assert 'job="painting"' in made
    assert 'job="seedbed"' not in made


def test_the_mixin_gives_jsonnet_the_same():
    def read(_, name):
        return name, (ROOT / name).read_bytes()

    asked = """local mixin = import 'mixin.libsonnet';
        [mixin.prometheusAlerts, mixin.prometheusRules, mixin.grafanaDashboards]"""
    text = gojsonnet.evaluate_snippet("test", asked, import_callback=read)
    told, recorded, boards = json.loads(text)
    assert told == rule_files()["alerts.yaml"]
    assert recorded == rule_files()["recording.yaml"]
    assert boards == {f"{name}.json": board for name, board in MADE.items()}


# --- that the checks can fail ---

J = 'job="seedbed"'


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (f"farm_leaders{{{J}}}", "farm_leaders is not served"),
        (f'farm_workers{{{J},colour="red"}}', "has no label colour"),
        ("farm_leads", "asked of every farm"),
        (f"farm_swaps_total{{{J}}}", "is a counter"),
        (f"rate(farm_leads{{{J}}}[5m])", "is no counter"),
        (f"rate(farm_swaps_total{{{J}}}[15s])", "may have one sample"),
        (f"sum by (project) (rate(farm_swaps_total{{{J}}}[5m]))", "label project to keep"),
        (f"topk(3, farm_workers{{{J}}})", "other series at each look"),
    ],
)
def test_a_mistake_in_a_query_is_found(query, fault):
    assert any(fault in told for told in faults(query, SERIES, RECORDED))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"for": None}, "no time"),
        ({"labels": {"severity": "critical", "left": "{{ $value }}"}}, "starts the alert anew"),
        ({"labels": {}}, "no severity"),
        ({"alert": "NothingPainted"}, "whose it is"),
        ({"annotations": {}}, "no runbook_url"),
        ({"annotations": {"summary": "{{ $value }} wait"}}, "differs from instance"),
        ({"annotations": {"description": "{{ $labels.worker }}"}}, "no label worker"),
    ],
)
def test_a_mistake_in_an_alert_is_found(changes, fault):
    alert = {**next(rule for rule in ALERTS if rule["alert"] == "FarmQueueOld"), **changes}
    alert = {name: value for name, value in alert.items() if value is not None}
    assert any(fault in told for told in alert_faults(alert))


def test_a_mistake_in_a_dashboard_is_found():
    board = json.loads(board_json(BOARDS[0]))
    board["editable"] = True
    board["templating"]["list"] = []
    one, two, *_ = panels_of(board)
    one["description"], one["fieldConfig"]["defaults"]["unit"] = "", ""
    one["datasource"]["uid"], one["targets"] = "mine", []
    two["targets"][0]["expr"] = 'sum(rate(farm_swaps_total{job=~"$jobs"}[5m]))'
    told = " ".join(board_faults(board))
    faults = ["people could change", "no variable job", "no description", "no unit"]
    faults += ["another source", "no query", "a range of its own", "jobs is no variable"]
    for fault in faults:
        assert fault in told
