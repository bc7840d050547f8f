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
    lines("Deadlines", "From the expected end to the deadline, of the campaign that has the least time.", "s",
          "{{project}}: farm_deadline_margin_seconds{@}"),
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
    lines("Longest wait for a decision", "Since all proofs of a campaign are painted.", "s",
          f"{{{{project}}}}: farm_review_wait_seconds{{@,{P}}}"),
    lines("Workers by project", "Workers that have a chunk of it.", "short",
          f"{{{{project}}}}: farm_project_workers{{@,{P}}}"),
    lines("Time to the first picture", "From the submission; median and 95th percentile.", "s",
          "median: histogram_quantile(0.5, sum by (le)"
          f" (rate(farm_first_picture_seconds_bucket{{@,{P}}}[{R}])))",
          "95 %: histogram_quantile(0.95, sum by (le)"
          f" (rate(farm_first_picture_seconds_bucket{{@,{P}}}[{R}])))"),
    lines("Megapixel-steps by stage", "Work that was painted.", "ops",
          f"{{{{project}}}} {{{{stage}}}}: sum by (project, stage) (rate(farm_megapixel_steps_total{{@,{P},{M}}}[{R}]))"),
    lines("Quotas", "Used, by limit.", "percentunit",
          f"{{{{project}}}} {{{{limit}}}}: farm_quota_used_ratio{{@,{P}}}"),
    lines("Deadlines", "From the expected end to the deadline, of the campaign that has the least time.", "s",
          f"{{{{project}}}}: farm_deadline_margin_seconds{{@,{P}}}"),
    lines("Stopped early", "Pictures that were not painted further, as they drifted.", "ops",
          f"{{{{model}}}}: sum by (model) (rate(farm_stopped_early_total{{@,{M}}}[{R}]))"),
), ("project", "model"))  # fmt: skip

FLEET = Board("fleet", "Seedbed: fleet", (
    lines("Workers by state", "Of the chosen pools.", "short",
          '{{state}}: sum by (state) (farm_workers{@,pool=~"$pool"})'),
    lines("Wanted and there", "Workers that a pool should have, and those that can paint.", "short",
          '{{pool}} wanted: farm_workers_wanted{@,pool=~"$pool"}',
          '{{pool}} there: sum by (pool) (farm_workers{@,pool=~"$pool",state=~"idle|painting"})'),
    lines("Decisions", "About workers, an hour.", "short",
          f'{{{{decision}}}}: sum by (decision) (rate(farm_scaling_decisions_total{{@,pool=~"$pool"}}[{R}])) * 3600',
          f"starts that failed: sum(rate(farm_failed_starts_total{{@}}[{R}])) * 3600"),
    lines("GPUs", "How busy they are, and how full their memory is; if workers can ask the driver.", "percentunit",
          '{{pool}} busy: farm_gpu_utilisation_ratio{@,pool=~"$pool"}',
          '{{pool}} memory: farm_gpu_memory_used_bytes{@,pool=~"$pool"} / farm_gpu_memory_bytes{@,pool=~"$pool"}'),
    lines("Power of a GPU", "On average; if workers can ask the driver.", "watt",
          '{{pool}}: farm_gpu_power_watts{@,pool=~"$pool"} / farm_gpus{@,pool=~"$pool"}'),
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
    lines("Cost of the fleet", "An hour of all workers that are there, whatever they do.", "short",
          "{{pool}}: farm_workers_cost_per_hour{@}"),
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
    lines("Time of a statement", "In the job database, on average.", "s",
          f"{{{{process}}}} {{{{kind}}}}: sum by (process, kind) (rate(farm_database_seconds_sum{{@}}[{R}]))"
          f" / sum by (process, kind) (rate(farm_database_seconds_count{{@}}[{R}]))"),
    lines("Statements", "In the job database.", "ops",
          f"{{{{process}}}} {{{{kind}}}}: sum by (process, kind) (rate(farm_database_seconds_count{{@}}[{R}]))",
          f"errors: sum(rate(farm_database_errors_total{{@}}[{R}]))"),
    lines("Connections to the database", "In use.", "short",
          "{{process}} of {{instance}}: farm_database_connections{@}"),
    lines("Log of the database", "The size of its write-ahead log.", "bytes",
          "size: max(farm_database_wal_bytes{@})"),
    lines("Replication lag", "Of the slowest follower of a PostgreSQL server.", "s",
          "lag: max(farm_database_replication_lag_seconds{@})"),
    lines("Time of an operation", "On the outputs; 95th percentile.", "s",
          "{{process}} {{operation}}: histogram_quantile(0.95, sum by (le, process, operation)"
          f" (rate(farm_outputs_seconds_bucket{{@}}[{R}])))"),
    lines("Operations", "On the outputs.", "ops",
          f"{{{{process}}}} {{{{operation}}}}: sum by (process, operation) (rate(farm_outputs_seconds_count{{@}}[{R}]))",
          f"errors: sum(rate(farm_outputs_errors_total{{@}}[{R}]))"),
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
    lines("A round of the dispatcher", "Its time, by step; `collect` waits for results.", "s",
          f"{{{{step}}}}: sum by (step) (rate(farm_dispatch_step_seconds_sum{{@}}[{R}]))"
          f' / ignoring (step) group_left sum(rate(farm_dispatch_step_seconds_count{{@,step="look"}}[{R}]))'),
    lines("Answers of the API", "By status.", "ops",
          f"{{{{status}}}}: sum by (status) (rate(farm_api_answers_total{{@}}[{R}]))"),
    lines("Time of an answer", "Of the API, until it begins; 95th percentile by route.", "s",
          "{{route}}: histogram_quantile(0.95, sum by (le, route)"
          f" (rate(farm_api_seconds_bucket{{@}}[{R}])))"),
    lines("Deliveries and listeners", "Deliveries that were not sent, and open streams of events.", "short",
          "{{to}} {{state}}: sum by (to, state) (farm_deliveries{@})",
          "listeners: sum(farm_event_listeners{@})"),
    lines("Late results", "Results that came after their lease was another's.", "ops",
          f'stale: sum(rate(farm_attempts_total{{@,outcome="stale"}}[{R}]))'),
    lines("Versions", "Processes by the version of the farm.", "short",
          "{{version}}: count by (version) (farm_build_info{@})"),
))  # fmt: skip

BOARDS = (FARM, CAMPAIGNS, FLEET, MONEY, STORAGE, CONTROL)
