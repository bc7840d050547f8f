"""Looks at every file of a campaign through the API, a few at a time, and mends those that are
damaged or missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice

from actors.recipes.encoding import Format
from farm.client.ahead import worked_ahead
from farm.client.client import Client
from farm.results.line import Line
from farm.results.verify import keys_of, line_problems, sampled
from farm.results.versions import only_present
from farm.service.views import CampaignStatus
from storage.errors import NotFound, WorkError
from storage.keys import is_atlas, is_painted, manifest_key
from storage.states import Stage

Tell = Callable[[str, str], None]
"""Is given the key of a file, and what is wrong with it."""
_READERS = 8
# renders whose files are asked for before the oldest of them was looked at: so few are in memory,
# whatever the campaign's size
_AHEAD = 32
_REPAIRED_AT_ONCE = (
    10_000  # renders whose files are in the outputs twice until they are in their places
)


@dataclass(kw_only=True)
class Inspection:
    """The findings about a campaign's files."""

    files: int = 0
    retired: int = 0
    """Pictures and previews that no render has any more."""
    strangers: int = 0
    """Other files that no render has."""
    damaged: dict[int, Line] = field(default_factory=dict)
    """By number, the lines of the finals of which a file is damaged or missing."""
    wrong: int = 0
    """Files of renders and of proofs that are damaged or missing."""
    chosen: dict[int, Line] = field(default_factory=dict)
    """By number, the lines of the renders that are to be painted again, to compare them."""


def inspect(client: Client, campaign: str, tell: Tell, *, sample: int = 0) -> Inspection:
    """Look at every file of a campaign, and choose `sample` renders spread evenly over it."""
    status = client.status(only_present(campaign))
    places = set(sampled(status.renders.done, sample))
    seen = Inspection()
    folder = f"{status.project}/{campaign}/"
    stages = [Stage.FINAL, *([Stage.PROOF] if status.proofs else [])]
    known = {manifest_key(status.project, status.campaign, stage) for stage in stages}

    def look(line: Line) -> list[tuple[str, str]]:
        return line_problems(line, client.output)

    with ThreadPoolExecutor(_READERS) as pool:
        every = chain.from_iterable(client.manifest(campaign, stage=stage) for stage in stages)
        lines = _with_pictures(every, known)
        looking = worked_ahead(pool, look, lines, _AHEAD)
        for place, (line, future) in enumerate(looking):
            problems = future.result()
            files = keys_of(line)
            seen.files += len(files)
            known.update(files)
            for key, problem in problems:
                tell(key, problem)
            seen.wrong += len(problems)
            is_final = line["stage"] == Stage.FINAL
            if problems and is_final:
                seen.damaged[line["number"]] = line
            if place in places and is_final:
                seen.chosen[line["number"]] = line
    if status.finished_at is not None:  # until then, workers have written what no row says yet
        for key in client.files(campaign):
            rest = key.removeprefix(folder)
            if key in known or is_atlas(rest):  # pages can do without thumbnails
                continue
            if is_painted(rest, Format):
                seen.retired += 1
            else:
                seen.strangers += 1
                tell(key, "no render has this file.")
    return seen


def _with_pictures(lines: Iterable[Line], known: set[str]) -> Iterator[Line]:
    """The lines that name a picture. The previews of pictures that were stopped are known too."""
    for line in lines:
        if line["key"]:
            yield line
        else:
            known.update(line["previews"])


def repair(
    client: Client,
    campaign: str,
    damaged: Mapping[int, Line],
    follow: Callable[[str], CampaignStatus],
    tell: Tell,
) -> int:
    """Have renders painted again and put their files in their places; returns how many files are
    still wrong, each of which is told.

    `follow` waits until a campaign is over and returns its status. Raises WorkError if nothing can
    be painted.
    """
    wrong = 0
    by_class: dict[str | None, list[int]] = {}
    for number, line in damaged.items():
        by_class.setdefault(line["numerics_class"], []).append(number)
    for numbers in by_class.values():
        left = iter(numbers)
        while some := list(islice(left, _REPAIRED_AT_ONCE)):
            problems = _repair_some(client, campaign, some, follow)
            for number in some:
                line = client.render(campaign, number)
                for key, problem in line_problems(line, client.output):
                    tell(key, problems.get(number, problem))
                    wrong += 1
    client.save_manifest(campaign)  # the bytes of a file may be others now, its pixels are not
    return wrong


def _repair_some(
    client: Client, campaign: str, numbers: Sequence[int], follow: Callable[[str], CampaignStatus]
) -> dict[int, str]:
    """Repair some renders, once an earlier repair that was broken off is over; returns what is
    wrong with those that could not be.
    """
    problems: dict[int, str] = {}
    left = list(numbers)
    while left:
        begun = client.repair(campaign, left)
        status = follow(begun.campaign)
        if status.state == "stopped":
            raise WorkError(
                f"The files could not be painted again: {status.halted} `farm verify {campaign}"
                " --repair` goes on with it."
            )
        with suppress(
            NotFound
        ):  # somebody else repairs the same campaign, and has put the files in their places
            problems |= {wrong.number: wrong.problem for wrong in client.put_back(campaign).wrong}
        if begun.created:
            break
        left = [
            n
            for n in left
            if n not in problems and line_problems(client.render(campaign, n), client.output)
        ]
    return problems
