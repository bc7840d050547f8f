"""Builds the Grafana dashboard: `python -m dashboards.build` writes farm.json beside this file."""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

TARGET = Path(__file__).parent / "farm.json"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT, _HALF = 8, 12

# title, what it tells, unit, (expression, legend) …
_STATS = [
    (
        "Renders a second",
        "Renders that ended well, over five minutes.",
        "ops",
        'sum(rate(farm_renders_total{outcome="done"}[5m]))',
    ),
    (
        "Waiting",
        "Renders of open campaigns that no worker has yet.",
        "short",
        'sum(farm_queue_renders{state="queued"})',
    ),
    (
        "Workers painting",
        "Workers that hold at least one chunk.",
        "short",
        'farm_workers{state="painting"}',
    ),
    (
        "Failed in an hour",
        "Renders that failed or are held.",
        "short",
        'sum(increase(farm_renders_total{outcome=~"failed|held"}[1h]))',
    ),
]
_GRAPHS = [
    (
        "Throughput",
        "Renders that ended, by model and outcome.",
        "ops",
        [("sum by (model, outcome) (rate(farm_renders_total[5m]))", "{{model}} {{outcome}}")],
    ),
    (
        "Queue depth",
        "Renders of open campaigns, by where they are.",
        "short",
        [("sum by (model, state) (farm_queue_renders)", "{{model}} {{state}}")],
    ),
    (
        "Time of a batch",
        "Median and 95th percentile on the device.",
        "s",
        [
            (
                (
                    "histogram_quantile(0.5,"
                    " sum by (le, model) (rate(farm_paint_seconds_bucket[5m])))"
                ),
                "{{model}} p50",
            ),
            (
                (
                    "histogram_quantile(0.95,"
                    " sum by (le, model) (rate(farm_paint_seconds_bucket[5m])))"
                ),
                "{{model}} p95",
            ),
        ],
    ),
    ("Workers", "Workers by state.", "short", [("sum by (state) (farm_workers)", "{{state}}")]),
    (
        "Loads of pipelines",
        "How often a pipeline is loaded, and how long that takes.",
        "short",
        [
            (
                "sum by (model) (rate(farm_load_seconds_count[15m])) * 3600",
                "{{model}} loads an hour",
            ),
            (
                (
                    "sum by (model) (rate(farm_load_seconds_sum[15m]))"
                    " / sum by (model) (rate(farm_load_seconds_count[15m]))"
                ),
                "{{model}} seconds a load",
            ),
        ],
    ),
    (
        "Batch fill",
        "Filled places of all places in painted batches: what is missing was padding.",
        "percentunit",
        [
            (
                (
                    "sum by (model) (rate(farm_batch_pictures_total[15m]))"
                    " / sum by (model) (rate(farm_batch_slots_total[15m]))"
                ),
                "{{model}}",
            )
        ],
    ),
    (
        "Uploads",
        "Bytes written to the outputs.",
        "Bps",
        [("sum by (model) (rate(farm_upload_bytes_total[5m]))", "{{model}}")],
    ),
    (
        "Files and encoding",
        "Files written a second, and threads busy with encoding and writing.",
        "short",
        [
            ("sum by (model) (rate(farm_uploads_total[5m]))", "{{model}} files/s"),
            ("sum by (model) (rate(farm_encode_seconds_total[5m]))", "{{model}} busy threads"),
        ],
    ),
    (
        "Attempts by outcome",
        "What became of chunks: everything but painted is worth a look.",
        "ops",
        [("sum by (outcome) (rate(farm_attempts_total[15m]))", "{{outcome}}")],
    ),
]


def build() -> str:
    """The dashboard as JSON."""
    board = (
        dashboard.Dashboard("Seedbed farm")
        .uid("seedbed-farm")
        .tags(["seedbed"])
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(
            dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source")
        )
    )
    for title, description, unit, expression in _STATS:
        board.with_panel(
            _panel(stat.Panel(), title, description, unit, 4, 6).with_target(
                _query(expression, "")
            )
        )
    board.with_panel(
        _panel(
            bargauge.Panel(),
            "Batch fill of the last chunk",
            "Below 1 a batch was padded.",
            "percentunit",
            _HEIGHT,
            _HALF,
        )
        .min(0)
        .max(1)
        .with_target(_query("farm_batch_fill_ratio", "{{model}}"))
    )
    for title, description, unit, queries in _GRAPHS:
        panel = _panel(timeseries.Panel(), title, description, unit, _HEIGHT, _HALF)
        for expression, legend in queries:
            panel.with_target(_query(expression, legend))
        board.with_panel(panel)
    return f"{JSONEncoder(sort_keys=True, indent=2).encode(board.build())}\n"


# three kinds of builder, with no common type
def _panel(panel, title: str, description: str, unit: str, height: int, span: int):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return (
        panel.title(title)
        .description(description)
        .unit(unit)
        .height(height)
        .span(span)
        .datasource(_SOURCE)
    )


def _query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).legend_format(legend)


if __name__ == "__main__":
    TARGET.write_text(build(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
