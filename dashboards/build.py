"""Builds everything for Prometheus and Grafana: `python -m dashboards.build` writes it beside this
file.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    VariableRefresh,
)

from dashboards.alerts import inhibitions, rule_files
from dashboards.boards import BOARDS, Board, Panel
from dashboards.config import CONFIG, Config

ROOT = Path(__file__).parent
KUBERNETES = ROOT.parent / "infra" / "kubernetes" / "monitoring"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_GENERATED = "# Made by `make dashboards` from dashboards/: change it there.\n"
_FILTERS = {
    "project": "label_values(farm_queue_renders{@}, project)",
    "model": "label_values(farm_queue_renders{@}, model)",
    "pool": "label_values(farm_workers{@}, pool)",
}


def board_json(board: Board, config: Config = CONFIG) -> str:
    """A dashboard as Grafana reads it."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"seedbed-{board.name}")
        .tags(["seedbed"])
        .refresh("30s")
        .time("now-3h", "now")
        .readonly()
        .with_variable(
            dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source")
        )
        .with_variable(_variable("job", "label_values(farm_leads, job)"))
        .link(
            dashboard.DashboardLink("Other dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["seedbed"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .link(
            dashboard.DashboardLink("Pages of the farm")
            .type(DashboardLinkType.LINK)
            .url(config.farm)
        )
    )
    for name in board.filters:
        made.with_variable(_variable(name, _chosen(_FILTERS[name])).include_all(True).multi(True))
    for panel in board.panels:
        made.with_panel(_panel(panel))
    return f"{JSONEncoder(sort_keys=True, indent=2).encode(made.build())}\n"


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _panel(panel: Panel):  # type: ignore[no-untyped-def]  # noqa: ANN202  # two kinds of builder
    is_stat = panel.kind == "stat"
    made = stat.Panel() if is_stat else timeseries.Panel()
    made.title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    made.height(4 if is_stat else 8).span(4 if is_stat else 12)
    for expression, legend in panel.queries:
        query = prometheus.Dataquery().expr(_chosen(expression)).legend_format(legend)
        made.with_target(query.exemplar(True) if "_bucket" in expression else query)
    return made


def _chosen(expression: str) -> str:
    return expression.replace("@", 'job=~"$job"')


def files(config: Config = CONFIG) -> dict[str, str]:
    """Everything that is built, by its path in this folder."""
    boards = {f"{board.name}.json": board_json(board, config) for board in BOARDS}
    rules = {f"rules/{name}": _yaml(rule) for name, rule in rule_files(config).items()}
    return {
        **boards,
        **rules,
        "alertmanager/inhibit.yaml": _yaml(inhibitions()),
        "alertmanager/alertmanager.yaml": _yaml(alertmanager()),
        "mixin.libsonnet": _mixin(),
        "grafana/dashboards.yaml": _yaml(_PROVIDER),
        "grafana/datasources.yaml": _yaml(_DATASOURCES),
    }


def kubernetes(config: Config = CONFIG) -> dict[str, str]:
    """The same for the operators of Prometheus and Grafana, by its path below `KUBERNETES`."""
    rules = [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"seedbed-{name.removesuffix('.yaml')}"},
            "spec": rule,
        }
        for name, rule in rule_files(config).items()
    ]
    maps = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"seedbed-dashboard-{board.name}",
                "labels": {"grafana_dashboard": "1"},
            },
            "data": {f"{board.name}.json": board_json(board, config)},
        }
        for board in BOARDS
    ]
    return {"rules.yaml": _yaml(*rules), "dashboards.yaml": _yaml(*maps)}


def alertmanager() -> dict[str, Any]:
    """A whole configuration, which tells nobody: an operator gives it receivers."""
    by_cause = {"group_by": ["alertname", "project", "pool"], "group_wait": "30s"}
    return {
        "route": {"receiver": "nobody", **by_cause, "repeat_interval": "12h"},
        "receivers": [{"name": "nobody"}],
        **inhibitions(),
    }


_PROVIDER = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "seedbed",
            "folder": "Seedbed",
            "type": "file",
            "allowUiUpdates": False,
            "options": {"path": "/etc/grafana/seedbed"},
        }
    ],
}
_DATASOURCES = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "http://prometheus:9090",
            "isDefault": True,
            "jsonData": {"timeInterval": "15s"},
        }
    ],
}


def _mixin() -> str:
    """For those who vendor it with jsonnet: it imports the files and adds nothing."""
    boards = "".join(f"    '{board.name}.json': import '{board.name}.json',\n" for board in BOARDS)
    return (
        "// Made by `make dashboards` from dashboards/: change it there.\n"
        "{\n"
        f"  grafanaDashboards+:: {{\n{boards}  }},\n"
        "  prometheusRules+:: std.parseYaml(importstr 'rules/recording.yaml'),\n"
        "  prometheusAlerts+:: std.parseYaml(importstr 'rules/alerts.yaml'),\n"
        "}\n"
    )


def _yaml(*documents: object) -> str:
    return _GENERATED + yaml.safe_dump_all(documents, sort_keys=False, width=10_000)


if __name__ == "__main__":
    made = {ROOT / name: text for name, text in files().items()}
    made |= {KUBERNETES / name: text for name, text in kubernetes().items()}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
