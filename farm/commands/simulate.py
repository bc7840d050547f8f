"""`farm simulate`: what a campaign, or a whole trace of them, would make of a fleet, without
painting anything.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.campaign.loading import load_campaign
from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    budget_sentence,
    print_json,
    say,
    say_aside,
    settings_for,
    show_table,
)
from farm.config import Settings
from farm.connect import open_client
from farm.cost import SECONDS_PER_MEGAPIXEL_STEP
from farm.simulation.simulator import what_if
from farm.simulation.trace import Report, Trace, Work
from farm.simulation.trace_file import load_trace
from storage.errors import RequestError

Json = dict[str, Any]
_COLUMNS = ("workers", "makespan", "of bound", "busy", "loads", "cost", "lost", "fairness")


def simulate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Campaign files.", metavar="[FILE]...")
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            "--workers", help="How many workers at most: one number, or several like 1,8,64."
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="A trace file, in place of campaign files.")
    ] = None,
    load: Annotated[
        float, typer.Option("--load", help="Seconds to load a model, for campaign files.", min=0)
    ] = 30.0,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Where a plot of it goes (PNG); needs the extra `plot`."),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """How long campaigns would take with so many workers, and what they would cost. Decided by the
    farm's own rules on a virtual clock.
    """
    settings = settings_for(home, project)
    if (trace is None) == (not files):
        raise RequestError("Name campaign files, or a trace with --trace: one of the two.")
    given = load_trace(trace) if trace is not None else _trace_of(settings, files or [], load)
    counts = _counts(workers) or [given.limits.ceiling]
    reports = []
    for count, report in _reports(given, counts):
        reports.append((count, report))
        if as_json:
            print_json({"workers": count, **asdict(report)})
    if not as_json:
        _show(reports)
    if plot is not None:
        _plot(reports, plot)
        if not as_json:
            say(f"Plot: {plot}")


def _reports(trace: Trace, counts: list[int]) -> Any:
    try:
        yield from what_if(trace, counts)
    except ValueError as exc:
        raise RequestError(str(exc)) from exc


def _counts(text: str | None) -> list[int]:
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= 1_000_000 for part in parts):
        raise RequestError(
            f"{text!r} is no number of workers: write one like 8, or several like 1,8,64,512."
        )
    return [int(part) for part in parts]


def _trace_of(settings: Settings, files: list[Path], load_s: float) -> Trace:
    """Real campaigns: their size as a submission would have it, their pace as their models have
    shown on this farm.
    """
    with open_client(settings) as client:
        plans = [client.plan(load_campaign(path)) for path in files]
    works = []
    for plan in plans:
        pace = plan.seconds_per_megapixel_step
        if pace is None:
            say_aside(
                f"The model of {plan.campaign} has no history here:"
                f" {SECONDS_PER_MEGAPIXEL_STEP:g} s a megapixel-step is assumed."
            )
        if plan.budget_s is not None and plan.estimate_s > plan.budget_s:
            say_aside(f"{plan.campaign}: {budget_sentence(plan)} All of it is simulated.")
        batch = max(plan.batch)
        batch_s = (
            plan.megapixel_steps / plan.renders * batch * (pace or SECONDS_PER_MEGAPIXEL_STEP)
        )
        work = Work(
            name=plan.campaign, model=plan.model, renders=plan.renders, batch=batch,
            batch_s=batch_s, load_s=load_s,
            project=settings.project, priority=plan.priority, max_workers=plan.max_workers,
        )  # fmt: skip
        works.append(work)
    if len({work.name for work in works}) < len(works):
        raise RequestError("Two of the files have the same campaign name: give each its own.")
    return Trace(
        works=works,
        pools=settings.pools(),
        limits=settings.limits(),
        weights=settings.shares,
        quotas=settings.quotas,
    )


def _show(reports: list[tuple[int, Report]]) -> None:
    table = Table(*_COLUMNS, box=SIMPLE_HEAD)
    for count, r in reports:
        table.add_row(
            f"{count:,}", _span(r.makespan), f"{r.makespan / r.bound:.3f}", f"{r.busy:.1%}",
            f"{r.loads:,}",
            f"{r.cost:,.2f}", f"{r.lost:,}", f"{r.fairness:.3f}",
        )  # fmt: skip
    show_table(table)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def _plot(reports: list[tuple[int, Report]], path: Path) -> None:
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as exc:
        raise RequestError("A plot needs matplotlib: pip install 'seedbed[plot]'.") from exc
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from matplotlib.ticker import NullLocator, ScalarFormatter  # noqa: PLC0415

    counts = [count for count, _ in reports]
    figure, time = plt.subplots(figsize=(8, 5))
    time.plot(counts, [r.makespan / 3600 for _, r in reports], marker="o", label="makespan")
    time.plot(counts, [r.bound / 3600 for _, r in reports], linestyle="--", label="least possible")
    time.set(xlabel="workers at most", ylabel="hours", xscale="log", yscale="log")
    time.set_xticks(counts, [f"{count:,}" for count in counts])
    time.xaxis.set_minor_locator(NullLocator())
    time.yaxis.set_major_formatter(ScalarFormatter())
    time.yaxis.set_minor_formatter(ScalarFormatter())
    busy = time.twinx()
    busy.plot(
        counts, [100 * r.busy for _, r in reports], color="tab:green", marker="s", label="busy"
    )
    busy.set(ylabel="% of paid time painted in", ylim=(0, 105))
    figure.legend(loc="lower center", ncols=3)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    try:
        figure.savefig(path, dpi=120)
    except OSError as exc:
        raise RequestError(
            f"The plot cannot be written to {path}: {exc.strerror or exc}."
        ) from exc
    finally:
        plt.close(figure)
