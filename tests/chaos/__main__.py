"""`make chaos`: many seeded runs, one after the other; exit code 1 where one of them went
wrong.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaigns import GROWN, PAINTED, RESTED, REVIEWED
from tests.chaos.runs import Chaos, Report, chaos, fleet_chaos
from tests.chaos.schedule import ON_FLEET, ON_POSTGRESQL, ON_SQLITE, plan

_PAINTED_EVERY = 4
_REVIEWED_EVERY = 3
_SQLITE_EVERY = 5


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="farm-chaos-"))
    wrong = _try_queue(folder / "queue", options) + _try_fleet(folder / "fleet", options)
    if wrong or options.keep:
        _say(f"{wrong} runs went wrong. All files are in {folder}.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(wrong > 0)


def _try_queue(folder: Path, options: argparse.Namespace) -> int:
    """Runs on machines that stay, where the database and the way to it fail, too; returns how many
    went wrong.
    """
    if not options.runs:
        return 0
    folder.mkdir()
    with chaos(folder) as ground:
        return sum(
            _tell(*_run(ground, seed, options), seed, folder, options)
            for seed in _seeds(options, options.runs)
        )


def _try_fleet(folder: Path, options: argparse.Namespace) -> int:
    """Runs on machines that come and go; returns how many went wrong."""
    if not options.fleet_runs:
        return 0
    folder.mkdir()
    with fleet_chaos(folder) as ground:
        return sum(
            _tell(
                "fleet",
                ground.run(str(seed), GROWN, plan(seed, ON_FLEET, len(ON_FLEET))),
                seed,
                folder,
                options,
            )
            for seed in _seeds(options, options.fleet_runs)
        )


def _seeds(options: argparse.Namespace, runs: int) -> range:
    return range(options.seed, options.seed + runs)


def _run(ground: Chaos, seed: int, options: argparse.Namespace) -> tuple[str, Report]:
    """One run, which one follows from its seed; with what it was called."""
    rested = REVIEWED if seed % _REVIEWED_EVERY == 0 else RESTED
    work = PAINTED if options.painted or seed % _PAINTED_EVERY == 0 else rested
    on_sqlite = seed % _SQLITE_EVERY == 0
    faults = plan(seed, ON_SQLITE if on_sqlite else ON_POSTGRESQL, options.faults)
    return f"{work.name}, {'sqlite' if on_sqlite else 'postgresql'}", ground.run(
        str(seed), work, faults, on_sqlite=on_sqlite
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=20, help="how many runs of the queue, on machines that stay"
    )
    parser.add_argument(
        "--fleet-runs",
        type=int,
        default=6,
        help="how many runs of the fleet, on machines that come and go",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="the seed of the first one of each; the others follow it",
    )
    parser.add_argument(
        "--faults", type=int, default=7, help="how many things go wrong in each run of the queue"
    )
    parser.add_argument(
        "--painted",
        action="store_true",
        help=f"paint in every run of the queue, not only in every {_PAINTED_EVERY}th",
    )
    parser.add_argument("--verbose", action="store_true", help="tell the story of every run")
    parser.add_argument(
        "--keep", action="store_true", help="keep the files of runs that went well, too"
    )
    return parser.parse_args()


def _tell(name: str, report: Report, seed: int, folder: Path, options: argparse.Namespace) -> bool:
    """Say what came of a run, at length where it went wrong; returns whether it did."""
    _say(f"seed {seed} ({name}): {report}")
    if report.problems or options.verbose:
        path = folder / str(seed) / "story.txt"
        path.write_text(report.said)
        _say(
            "\n".join(
                ["", *report.problems, *report.story.lines, f"All that was said is in {path}.", ""]
            )
        )
    return bool(report.problems)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
