"""The dashboards and their panels. `@` in an expression stands for the selector of the farm's
targets.
"""

# ruff: noqa: E501  # a query is read best in one line
from typing import NamedTuple


class Panel(NamedTuple):
    """A panel: queries are pairs of an expression and the legend of its lines."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


class Board(NamedTuple):
    """A dashboard; its uid is `seedbed-` and its name."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    filters: tuple[str, ...] = ()
    """The labels that can be chosen at the top."""


R = "$__rate_interval"
P, M = 'project=~"$project"', 'model=~"$model"'


def stat(title: str, description: str, unit: str, expression: str) -> Panel:
    return Panel(title, description, unit, ((expression, title),), "stat")


def lines(title: str, description: str, unit: str, *queries: str) -> Panel:
    """Queries are each `legend: expression`."""
    pairs = [query.partition(": ") for query in queries]
    return Panel(title, description, unit, tuple((text, legend) for legend, _, text in pairs))


FARM = Board("farm", "Seedbed: farm", (
    stat("Leaders", "Processes whose dispatcher leads: 1 is right.", "short",
         "sum(farm_leads{@})"),
    stat("Renders a second", "Renders that ended well.", "ops",
         f'sum(rate(farm_renders_total{{@,outcome="done"}}[{R}]))'),
    stat("Waiting", "Renders that a worker may have at once.", "short",
         'sum(farm_queue_renders{@,state="queued"})'),
    stat("Longest wait", "Of the campaign that has waited longest.", "s",
         "max(farm_queue_wait_seconds{@})"),
    stat("Workers painting", "Workers that have a chunk.", "short",
         'sum(farm_workers{@,state="painting"})'),
    stat("Failed in an hour", "Renders that failed.", "short",
         'sum(increase(farm_renders_total{@,outcome="failed"}[1h]))'),
    lines("Throughput", "Renders that ended, by outcome.", "ops",
          f"{{{{outcome}}}}: sum by (outcome) (rate(farm_renders_total{{@}}[{R}]))"),
    lines("Queue", "Renders of open campaigns, by where they are.", "short",
          "{{state}}: sum by (state) (farm_queue_renders{@})"),
    lines("Attempts that did not paint", "Chunks that came back unpainted, by why.", "ops",
          "{{outcome}}: sum by (outcome)"
          f' (rate(farm_attempts_total{{@,outcome!="painted"}}[{R}]))'),
    lines("Events", "What happened, by kind.", "ops",
          f"{{{{kind}}}}: sum by (kind) (rate(farm_events_total{{@}}[{R}])) > 0"),
))  # fmt: skip

CAMPAIGNS = Board("campaigns", "Seedbed: campaigns and projects", (
    lines("Renders by project", "Renders that ended well.", "ops",
          f'{{{{project}}}}: sum by (project) (rate(farm_renders_total{{@,{P},{M},outcome="done"}}[{R}]))'),
    lines("Failed and held by model", "Renders that failed or are held for a person.", "ops",
          "{{model}} {{outcome}}: sum by (model, outcome)"
          f' (rate(farm_renders_total{{@,{P},{M},outcome=~"failed|held"}}[{R}]))'),
    lines("Part that failed", "Of all renders that ended: the objective is 0.5 %.", "percentunit",
          "one hour: farm:renders_failed:ratio_rate1h", "three days: farm:renders_failed:ratio_rate3d"),
    lines("Waiting by project", "Renders that a worker may have at once.", "short",
          f'{{{{project}}}}: sum by (project) (farm_queue_renders{{@,{P},{M},state="queued"}})'),
    lines("Longest wait", "Of the campaign that has waited longest.", "s",
          f"{{{{project}}}}: max by (project) (farm_queue_wait_seconds{{@,{P},{M}}})"),
    lines("Waits for a person", "Renders that are stopped, paused, or await a review.", "short",
          f'{{{{project}}}} {{{{state}}}}: sum by (project, state) (farm_queue_renders{{@,{P},state=~"stopped|paused|awaiting_review"}})',
          f"{{{{project}}}} held: farm_held_renders{{@,{P}}}"),
    lines("Workers by project", "Workers that have a chunk of it.", "short",
          f"{{{{project}}}}: farm_project_workers{{@,{P}}}"),
    lines("Time to the first picture", "From the submission; median and 95th percentile.", "s",
          "median: histogram_quantile(0.5, sum by (le)"
          f" (rate(farm_first_picture_seconds_bucket{{@,{P}}}[{R}])))",
          "95 %: histogram_quantile(0.95, sum by (le)"
          f" (rate(farm_first_picture_seconds_bucket{{@,{P}}}[{R}])))"),
    lines("Megapixel-steps by stage", "Work that was painted.", "ops",
          f"{{{{project}}}} {{{{stage}}}}: sum by (project, stage) (rate(farm_megapixel_steps_total{{@,{P},{M}}}[{R}]))"),
    lines("Stopped early", "Pictures that were not painted further, as they drifted.", "ops",
          f"{{{{model}}}}: sum by (model) (rate(farm_stopped_early_total{{@,{M}}}[{R}]))"),
), ("project", "model"))  # fmt: skip

FLEET = Board("fleet", "Seedbed: fleet", (
    lines("Workers by state", "Of the chosen pools.", "short",
          '{{state}}: sum by (state) (farm_workers{@,pool=~"$pool"})'),
    lines("Device time by use", "Workers that are busy with each use, on average.", "short",
          f'{{{{use}}}}: sum by (use) (rate(farm_device_seconds_total{{@,pool=~"$pool",{M}}}[{R}]))'),
    lines("Time of a megapixel-step", "On the device; median and 95th percentile.", "s",
          "{{model}} median: histogram_quantile(0.5, sum by (le, model)"
          f" (rate(farm_megapixel_step_seconds_bucket{{@,{M}}}[{R}])))",
          "{{model}} 95 %: histogram_quantile(0.95, sum by (le, model)"
          f" (rate(farm_megapixel_step_seconds_bucket{{@,{M}}}[{R}])))"),
    lines("Time of a batch", "On the device; 95th percentile.", "s",
          "{{model}}: histogram_quantile(0.95, sum by (le, model)"
          f" (rate(farm_paint_seconds_bucket{{@,{M}}}[{R}])))"),
    lines("Batch fill", "Filled places of all places: the others were padding.", "percentunit",
          f"{{{{model}}}}: sum by (model) (rate(farm_batch_pictures_total{{@,{M}}}[{R}]))"
          f" / sum by (model) (rate(farm_batch_slots_total{{@,{M}}}[{R}]))"),
    lines("Loads and warm hits", "Chunks that found their model loaded, and loads.", "ops",
          f"{{{{model}}}} warm: sum by (model) (rate(farm_warm_hits_total{{@,{M}}}[{R}]))",
          f"{{{{model}}}} loads: sum by (model) (rate(farm_load_seconds_count{{@,{M}}}[{R}]))",
          f"{{{{model}}}} swaps: sum by (model) (rate(farm_swaps_total{{@,{M}}}[{R}]))"),
    lines("Time of a load", "On average.", "s",
          f"{{{{model}}}}: sum by (model) (rate(farm_load_seconds_sum{{@,{M}}}[{R}]))"
          f" / sum by (model) (rate(farm_load_seconds_count{{@,{M}}}[{R}]))"),
    lines("Classes of numerics", "Of the workers of a pool: 1 paints the same pixels.", "short",
          '{{pool}}: farm_numerics_classes{@,pool=~"$pool"}'),
), ("pool", "model"))  # fmt: skip

MONEY = Board("money", "Seedbed: money", (
    stat("An hour", "What workers cost now, in the unit of the fleet file's prices.", "short",
         f"sum(rate(farm_cost_total{{@}}[{R}])) * 3600"),
    stat("A render", "What each render that ended well has cost in the last day.", "short",
         "sum(increase(farm_cost_total{@}[1d]))"
         ' / sum(increase(farm_renders_total{@,outcome="done"}[1d]))'),
    lines("Cost by project", "An hour.", "short",
          f"{{{{project}}}}: sum by (project) (rate(farm_cost_total{{@,{P}}}[{R}])) * 3600"),
    lines("Cost by pool", "An hour.", "short",
          f"{{{{pool}}}}: sum by (pool) (rate(farm_cost_total{{@,{P}}}[{R}])) * 3600"),
    lines("Waste by reason", "An hour of what no picture came of.", "short",
          f'{{{{use}}}}: sum by (use) (rate(farm_cost_total{{@,{P},use!="painted"}}[{R}])) * 3600'),
    lines("Budgets", "Used, of the campaign that has the least left.", "percentunit",
          f"{{{{project}}}}: farm_budget_used_ratio{{@,{P}}}"),
    lines("Saved", "Pictures that were copied or found, and not painted.", "ops",
          f"{{{{model}}}} copied: sum by (model) (rate(farm_copied_total{{@}}[{R}]))",
          f"{{{{model}}}} adopted: sum by (model) (rate(farm_adopted_total{{@}}[{R}]))"),
), ("project",))  # fmt: skip

STORAGE = Board("storage", "Seedbed: storage and database", (
    stat("Database", "Processes that reach the job database.", "short",
         "sum(farm_database_up{@})"),
    lines("Written", "Bytes that workers wrote to the outputs.", "Bps",
          f"{{{{model}}}}: sum by (model) (rate(farm_upload_bytes_total{{@,{M}}}[{R}]))"),
    lines("Files", "Files that workers wrote to the outputs.", "ops",
          f"{{{{model}}}}: sum by (model) (rate(farm_uploads_total{{@,{M}}}[{R}]))"),
    lines("Encoding", "Threads that are busy with encoding and writing.", "short",
          f"{{{{model}}}}: sum by (model) (rate(farm_encode_seconds_total{{@,{M}}}[{R}]))"),
    lines("Failed writes", "Attempts that failed for the outputs.", "ops",
          f'{{{{model}}}}: sum by (model) (rate(farm_attempts_total{{@,{M},outcome="outputs"}}[{R}]))'),
), ("model",))  # fmt: skip

CONTROL = Board("control-plane", "Seedbed: control plane", (
    lines("Leaders", "Which process leads.", "short", "{{instance}}: farm_leads{@}"),
    lines("Heartbeat", "Time since the dispatcher was heard.", "s",
          "age: max(farm_dispatcher_heartbeat_age_seconds{@})"),
    lines("Connections", "Open connections of the API, and those it may have.", "short",
          "{{instance}}: farm_connections{@}", "{{instance}} allowed: farm_connections_allowed{@}"),
    lines("Connections ended", "By the farm, by why.", "ops",
          f"{{{{reason}}}}: sum by (reason) (rate(farm_connections_closed_total{{@}}[{R}]))"),
    lines("Late results", "Results that came after their lease was another's.", "ops",
          f'stale: sum(rate(farm_attempts_total{{@,outcome="stale"}}[{R}]))'),
    lines("Versions", "Processes by the version of the farm.", "short",
          "{{version}}: count by (version) (farm_build_info{@})"),
))  # fmt: skip

BOARDS = (FARM, CAMPAIGNS, FLEET, MONEY, STORAGE, CONTROL)
