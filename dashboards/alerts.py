"""The recording rules and alerts, as Prometheus reads them. `@` in an expression stands for the
selector of the farm's targets.
"""

from typing import Any, NamedTuple

from dashboards.config import CONFIG, Config

Rule = dict[str, Any]
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "3d")


class Alert(NamedTuple):
    """An alert. `board` is the dashboard that shows more."""

    name: str
    severity: str
    expression: str
    lasting: str
    summary: str
    description: str
    board: str


def recordings(config: Config = CONFIG) -> list[Rule]:
    """Rules that keep what alerts, dashboards and SLOs ask for again and again."""
    rules = [
        (
            "project_model_outcome:farm_renders:rate5m",
            "sum by (project, model, outcome) (rate(farm_renders_total{@}[5m]))",
        ),
        (
            "pool_use:farm_device_seconds:rate5m",
            "sum by (pool, use) (rate(farm_device_seconds_total{@}[5m]))",
        ),
        (
            "farm:queue_is_fresh:bool",
            f"max(farm_queue_wait_seconds{{@}}) < bool {config.queue_wait_s}",
        ),
    ]
    for window in WINDOWS:
        failed = f'sum(rate(farm_renders_total{{@,outcome="failed"}}[{window}]))'
        every = f"sum(rate(farm_renders_total{{@}}[{window}]))"
        rules.append((f"farm:renders_failed:ratio_rate{window}", f"{failed} / ({every} > 0)"))
    return [{"record": name, "expr": _of_farm(text, config)} for name, text in rules]


def alerts(config: Config = CONFIG) -> list[Alert]:
    return [
        *_of_the_control_plane(config),
        *_of_the_queue(config),
        *_of_the_fleet(config),
        *_of_clocks(config),
        *_of_attempts(config),
    ]


def _of_the_control_plane(config: Config) -> list[Alert]:
    full = config.connections_used
    return [
        Alert("FarmMetricsAbsent", "critical", "absent(farm_leads{@})", "5m",
              "No process of the farm is scraped.",
              "Prometheus has no target of the farm, or none that answers.", "farm"),
        Alert("FarmDispatcherGone", "critical", "sum(farm_leads{@}) == 0", "2m",
              "No dispatcher leads: nothing is painted.",
              "{{ $value }} processes lead; one must.", "control-plane"),
        Alert("FarmTwoLeaders", "critical", "sum(farm_leads{@}) > 1", "2m",
              "More than one dispatcher says that it leads.",
              "{{ $value }} processes lead; or several farms are in one scrape job.",
              "control-plane"),
        Alert("FarmDatabaseAway", "critical", "farm_database_up{@} == 0", "2m",
              "The job database cannot be reached.",
              "{{ $labels.instance }} cannot reach the job database.", "storage"),
        Alert("FarmConnectionsFull", "warning",
              f"farm_connections{{@}} / farm_connections_allowed{{@}} > {full}", "5m",
              "The API's connections are nearly all taken.",
              "{{ $labels.instance }} has {{ $value | humanizePercentage }} of them in use.",
              "control-plane"),
    ]  # fmt: skip


def _of_the_queue(config: Config) -> list[Alert]:
    wait, old = config.queue_wait_s, config.queue_old_s
    return [
        Alert("FarmNothingPainted", "critical",
              f"max(farm_queue_wait_seconds{{@}}) > {wait}"
              " and sum(increase(farm_renders_total{@}[10m])) == 0", "5m",
              "Renders wait, and nothing is painted.",
              "The oldest campaign has waited for {{ $value | humanizeDuration }}.", "farm"),
        Alert("FarmQueueOld", "warning",
              f"max by (project, model) (farm_queue_wait_seconds{{@}}) > {old}", "5m",
              "A campaign that may be painted is not served.",
              "One of {{ $labels.project }} with {{ $labels.model }} has waited for"
              " {{ $value | humanizeDuration }}.", "campaigns"),
        Alert("FarmDeviceIdleWhileQueued", "warning",
              'sum(farm_workers{@,state="idle"}) / sum(farm_workers{@}) > 0.5'
              " and max(farm_queue_wait_seconds{@}) > 60", "15m",
              "Most workers are idle while renders wait.",
              "{{ $value | humanizePercentage }} of the workers are idle.", "fleet"),
        Alert("FarmCampaignStopped", "warning",
              'sum by (project) (farm_queue_renders{@,state="stopped"}) > 0', "5m",
              "A campaign was stopped and waits for a person.",
              "{{ $value }} renders of {{ $labels.project }} wait for it.", "campaigns"),
        Alert("FarmBudgetNearlySpent", "warning",
              f"farm_budget_used_ratio{{@}} > {config.budget_used}", "5m",
              "A campaign has nearly spent its budget.",
              "One of {{ $labels.project }} has used {{ $value | humanizePercentage }} of it.",
              "money"),
        Alert("FarmDeadlineAtRisk", "warning", "farm_deadline_margin_seconds{@} < 0", "10m",
              "A campaign is expected to end after its deadline.",
              "One of {{ $labels.project }} ends {{ $value | humanizeDuration }} from its"
              " deadline.", "campaigns"),
        Alert("FarmQuotaNearlySpent", "warning",
              f'farm_quota_used_ratio{{@,limit!="workers"}} > {config.quota_used}', "10m",
              "A project has nearly spent a quota.",
              "{{ $labels.project }} has used {{ $value | humanizePercentage }} of its"
              " {{ $labels.limit }}.", "campaigns"),
        Alert("FarmDeliveriesFailing", "warning",
              'sum by (to) (farm_deliveries{@,state="failing"}) > 0', "30m",
              "Events do not reach webhooks or people.",
              "{{ $value }} deliveries to a {{ $labels.to }} have failed, and are tried again.",
              "control-plane"),
    ]  # fmt: skip


def _of_the_fleet(config: Config) -> list[Alert]:
    there = 'sum by (pool) (farm_workers{@,state=~"idle|painting"})'
    return [
        Alert("FarmFleetBelowWanted", "warning",
              f"sum by (pool) (farm_workers_wanted{{@}}) - on (pool) {there} > 0", "20m",
              "A pool has fewer workers than it should have.",
              "Pool {{ $labels.pool }} lacks {{ $value }} workers.", "fleet"),
        Alert("FarmPoolDoesNotDeliver", "warning",
              'sum by (pool) (increase(farm_scaling_decisions_total{@,decision="cool"}[1h])) > 0',
              "1m", "A pool gave no worker in time.",
              "Pool {{ $labels.pool }} was left alone for 10 minutes: others are asked.", "fleet"),
        Alert("FarmStartsFail", "warning",
              f"sum(increase(farm_failed_starts_total{{@}}[15m])) > {config.failed_starts}", "1m",
              "Workers end before they are ready.",
              "{{ $value | humanize }} starts in 15 minutes have failed.", "fleet"),
        Alert("FarmQuarantine", "warning",
              'sum by (pool) (farm_workers{@,state="quarantined"}) > 0', "15m",
              "Workers are in quarantine.",
              "{{ $value }} workers of pool {{ $labels.pool }} get no chunks, for they failed.",
              "fleet"),
        Alert("FarmWorkersDoNotStart", "warning",
              'min by (pool) (min_over_time(farm_workers{@,state="starting"}[20m])) > 0', "1m",
              "Workers that were asked for do not come.",
              "Of pool {{ $labels.pool }}, {{ $value }} have been starting for 20 minutes.",
              "fleet"),
        Alert("FarmNumericsSplit", "info", "farm_numerics_classes{@} > 1", "10m",
              "Workers of one pool would paint different pixels.",
              "Pool {{ $labels.pool }} has {{ $value }} classes of numerics.", "fleet"),
    ]  # fmt: skip


def _mean(series: str, by: str, labels: str = "") -> str:
    """The mean time of a histogram's operations, while there are any."""
    asked = f"{{@{labels}}}[10m]"
    count = f"sum by ({by}) (rate({series}_count{asked}))"
    return f"sum by ({by}) (rate({series}_sum{asked})) / ({count} > 0)"


def _of_clocks(config: Config) -> list[Alert]:
    work = 'sum(rate(farm_dispatch_step_seconds_sum{@,step!="collect"}[10m]))'
    rounds = 'sum(rate(farm_dispatch_step_seconds_count{@,step="look"}[10m])) > 0'
    database = _mean("farm_database_seconds", "process")
    writing = _mean("farm_outputs_seconds", "process", ',operation="write"')
    faults = 'sum(rate(farm_api_answers_total{@,status=~"5.."}[10m]))'
    return [
        Alert("FarmLoopSlow", "warning", f"{work} / ({rounds}) > {config.round_s}", "10m",
              "The dispatcher's rounds take long.",
              "A round works for {{ $value | humanizeDuration }}.", "control-plane"),
        Alert("FarmDatabaseSlow", "warning", f"{database} > {config.database_s}", "10m",
              "The job database answers slowly.",
              "A statement of the {{ $labels.process }} takes {{ $value | humanizeDuration }}.",
              "storage"),
        Alert("FarmDatabaseErrors", "warning",
              "sum by (process) (increase(farm_database_errors_total{@}[10m])) > 5", "5m",
              "The job database refuses statements.",
              "{{ $value | humanize }} statements of the {{ $labels.process }} in 10 minutes.",
              "storage"),
        Alert("FarmStorageSlow", "warning", f"{writing} > {config.storage_s}", "10m",
              "The outputs are written slowly.",
              "A file of the {{ $labels.process }} takes {{ $value | humanizeDuration }}.",
              "storage"),
        Alert("FarmStorageErrors", "warning",
              "sum by (process, operation) (increase(farm_outputs_errors_total{@}[10m])) > 3",
              "5m", "The outputs refuse operations.",
              "{{ $value | humanize }} times in 10 minutes: {{ $labels.operation }} by the"
              " {{ $labels.process }}.", "storage"),
        Alert("FarmApiFailing", "critical",
              f"{faults} / (sum(rate(farm_api_answers_total{{@}}[10m])) > 0) > 0.05", "5m",
              "The API answers with faults.",
              "{{ $value | humanizePercentage }} of its answers are faults.", "control-plane"),
        Alert("FarmApiSlow", "warning",
              "histogram_quantile(0.95, sum by (le) (rate(farm_api_seconds_bucket{@}[10m])))"
              f" > {config.answer_s}", "15m", "The API answers slowly.",
              "Of 20 answers, one takes more than {{ $value | humanizeDuration }}.",
              "control-plane"),
    ]  # fmt: skip


def _of_attempts(config: Config) -> list[Alert]:
    def rises(outcomes: str, window: str, most: int) -> str:
        series = f'farm_attempts_total{{@,outcome=~"{outcomes}"}}'
        return f"sum by (model) (increase({series}[{window}])) > {most}"

    return [
        _burn(config, "FarmFailuresFast", "critical", [("1h", "5m", 14.4), ("6h", "30m", 6)],
              "Renders fail so often that the month's budget of errors is gone in days."),
        _burn(config, "FarmFailuresSlow", "warning", [("3d", "6h", 1)],
              "Renders fail more often than the month's budget of errors allows."),
        Alert("FarmStorageFailing", "critical", rises("outputs", "10m", 0), "5m",
              "Pictures cannot be written to the outputs.",
              "{{ $value | humanize }} attempts in 10 minutes failed for it.", "storage"),
        Alert("FarmStaleWrites", "warning", rises("stale", "15m", 3), "15m",
              "Results come after their lease was another's.",
              "{{ $value | humanize }} results in 15 minutes came too late.", "control-plane"),
        Alert("FarmWorkersLost", "warning", rises("worker_lost|stuck", "15m", 5), "5m",
              "Workers are lost or stuck.",
              "{{ $value | humanize }} attempts in 15 minutes ended with their worker.", "fleet"),
        Alert("FarmModelCannotBeLoaded", "warning",
              rises("model|loading|shortage|out_of_memory", "15m", 3), "5m",
              "A model cannot be loaded, or does not fit into memory.",
              "{{ $labels.model }}: {{ $value | humanize }} attempts in 15 minutes.", "fleet"),
        Alert("FarmCanaryFailed", "warning", rises("numerics", "30m", 0), "1m",
              "A worker paints other pixels than its class.",
              "{{ $labels.model }}: {{ $value | humanize }} attempts in 30 minutes.", "fleet"),
    ]  # fmt: skip


def _burn(
    config: Config, name: str, severity: str, pairs: list[tuple[str, str, float]], summary: str
) -> Alert:
    """An alert on the rate at which the budget of errors is used, over a long and a short
    window.
    """
    budget = 1 - config.objective

    def above(window: str, times: float) -> str:
        return f"farm:renders_failed:ratio_rate{window} > {times * budget:.4g}"

    over = " or ".join(f"({above(a, n)} and {above(b, n)})" for a, b, n in pairs)
    enough = f"sum(increase(farm_renders_total{{@}}[{pairs[0][0]}])) > {config.least_renders}"
    told = "{{ $value | humanizePercentage }} of the renders failed."
    return Alert(name, severity, f"({over}) and {enough}", "1m", summary, told, "campaigns")


def rule_files(config: Config = CONFIG) -> dict[str, dict[str, Any]]:
    """The files of rules, by name."""
    return {
        "recording.yaml": {"groups": [{"name": "seedbed-recording", "rules": recordings(config)}]},
        "alerts.yaml": {
            "groups": [
                {"name": "seedbed", "rules": [_alert(one, config) for one in alerts(config)]}
            ]
        },
    }


def _alert(alert: Alert, config: Config) -> Rule:
    return {
        "alert": alert.name,
        "expr": _of_farm(alert.expression, config),
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{config.runbooks}{alert.name}.md",
            "dashboard_url": f"{config.grafana}seedbed-{alert.board}",
        },
    }


def inhibitions() -> dict[str, Any]:
    """For Alertmanager: alerts that are silent while their cause is told."""
    causes = {
        "FarmMetricsAbsent": "Farm.+",
        "FarmDatabaseAway": "FarmDispatcherGone|FarmNothingPainted|FarmQueueOld|FarmDatabaseErrors"
        "|FarmApiFailing",
        "FarmDispatcherGone": "FarmNothingPainted|FarmQueueOld|FarmDeviceIdleWhileQueued",
        "FarmNothingPainted": "FarmQueueOld",
        "FarmFailuresFast": "FarmFailuresSlow",
        "FarmStorageFailing": "FarmStorageErrors|FarmStorageSlow",
        "FarmPoolDoesNotDeliver": "FarmFleetBelowWanted",
    }
    return {
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{cause}"'],
                "target_matchers": [f'alertname=~"{others}"', f'alertname!="{cause}"'],
            }
            for cause, others in causes.items()
        ]
    }


def _of_farm(text: str, config: Config) -> str:
    return text.replace("@", f'job="{config.job}"')
