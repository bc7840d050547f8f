"""`make chaos`: many seeded runs, one after the other; exit code 1 where one of them went wrong."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaigns import PAINTED, RESTED
from tests.chaos.runs import Chaos, Report, chaos
from tests.chaos.schedule import ON_SQLITE, Kind, plan

_PAINTED_EVERY = 4
_SQLITE_EVERY = 5


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="farm-chaos-"))
    wrong = 0
    with chaos(folder) as ground:
        for seed in range(options.seed, options.seed + options.runs):
            name, report = _run(ground, seed, options)
            _say(f"seed {seed} ({name}): {report}")
            wrong += bool(report.problems)
            if report.problems or options.verbose:
                _tell(report, folder / str(seed) / "story.txt")
    if wrong or options.keep:
        _say(f"{wrong} runs went wrong. All files are in {folder}.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(wrong > 0)


def _run(ground: Chaos, seed: int, options: argparse.Namespace) -> tuple[str, Report]:
    """One run, which one follows from its seed; with what it was called."""
    work = PAINTED if options.painted or seed % _PAINTED_EVERY == 0 else RESTED
    on_sqlite = seed % _SQLITE_EVERY == 0
    faults = plan(seed, ON_SQLITE if on_sqlite else tuple(Kind), options.faults)
    return f"{work.name}, {'sqlite' if on_sqlite else 'postgresql'}", ground.run(str(seed), work, faults, on_sqlite=on_sqlite)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how many runs")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first one; the others follow it")
    parser.add_argument("--faults", type=int, default=7, help="how many things go wrong in each")
    parser.add_argument("--painted", action="store_true", help=f"paint in every run, not only in every {_PAINTED_EVERY}th")
    parser.add_argument("--verbose", action="store_true", help="tell the story of every run")
    parser.add_argument("--keep", action="store_true", help="keep the files of runs that went well, too")
    return parser.parse_args()


def _tell(report: Report, path: Path) -> None:
    path.write_text(report.said)
    _say("\n".join(["", *report.problems, *report.story.lines, f"All that was said is in {path}.", ""]))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
