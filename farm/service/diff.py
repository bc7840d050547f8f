"""What changed between two versions of a campaign, or between two campaigns, line by line and as a
picture.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.results.diff_sheet import MAX_PAIRS, PairOfCells, draw_pairs
from farm.results.pairing import Kind, Pair, pairs
from farm.results.recipe_changes import cell_label, changes, named
from farm.results.sheet_cells import Cell, cells_of
from farm.results.versions import split_version
from farm.service.update import version_before
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.rows import CampaignRow
from storage.store import Outputs

Json = dict[str, Any]
_AT_ONCE = 1_000  # pairs whose renders are looked up together


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two that are compared."""

    row: CampaignRow
    expansion: Expansion

    @property
    def title(self) -> str:
        return f"{self.row.name}@{self.row.version}"


class Diffs:
    """Compares versions of a campaign, or campaigns of one project."""

    def __init__(self, *, campaigns: Campaigns, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._outputs = outputs

    def lines(
        self,
        project: str,
        name: str,
        version: int | None,
        against: str | None,
        limit: int | None = None,
    ) -> Iterator[bytes]:
        """A line of JSON for each render that is not kept, at most `limit` of them, and a last one
        with the counts of all.

        `against` is what it is compared with, as NAME or NAME@NUMBER; if None, the version before.
        Raises NotFound at once if there is none of that name or number.
        """
        old, new = self._sides(project, name, version, against)
        return (
            json.dumps(line, ensure_ascii=False).encode() + b"\n"
            for line in self._lines(old, new, limit)
        )

    def picture(
        self,
        project: str,
        name: str,
        version: int | None,
        against: str | None,
        limit: int = MAX_PAIRS,
    ) -> bytes:
        """The first `limit` changed cells as PNG, old and new side by side, and never more than
        MAX_PAIRS.
        """
        old, new = self._sides(project, name, version, against)
        counts: Counter[Kind] = Counter()
        chosen: list[Pair] = []
        for pair in pairs(old.expansion, new.expansion):
            counts[pair.kind] += 1
            if pair.kind is Kind.CHANGED and len(chosen) < min(limit, MAX_PAIRS):
                chosen.append(pair)
        tiles = [tile for page in _pages(chosen) for tile in self._tiles(old, new, page)]
        return draw_pairs(
            tiles,
            list(_title(old, new, counts, len(chosen))),
            _largest(old, new, chosen),
            self._outputs,
        )

    # --- the two sides ---

    def _sides(
        self, project: str, name: str, version: int | None, against: str | None
    ) -> tuple[_Side, _Side]:
        new = self._row(project, name, version)
        old = self._before(new) if against is None else self._row(project, *split_version(against))
        return _Side(row=old, expansion=expansion_of(old.spec)), _Side(
            row=new, expansion=expansion_of(new.spec)
        )

    def _row(self, project: str, name: str, version: int | None) -> CampaignRow:
        return (
            self._campaigns.get(project, name)
            if version is None
            else self._campaigns.version(project, name, version)
        )

    def _before(self, row: CampaignRow) -> CampaignRow:
        known = self._campaigns.versions(row.project, row.name)
        earlier = version_before(known, row.version)
        if earlier is None:
            there = (
                f"{'is' if len(known) == 1 else 'are'}"
                f" {', '.join(str(other.version) for other in known)}"
            )
            raise NotFound(
                f"The campaign {row.name} has no version before {row.version}: there {there}. Name"
                " both versions, or another campaign."
            )
        return earlier

    def _cells(self, side: _Side, numbers: Iterable[int | None]) -> Callable[[int], Cell]:
        """What gives the cell of each of these renders."""
        ended = self._campaigns.outcomes_of(
            side.row.id, [number for number in numbers if number is not None]
        )
        return cells_of(side.row, side.expansion, ended, self._campaigns.under_way(side.row.id))

    # --- lines ---

    def _lines(self, old: _Side, new: _Side, limit: int | None) -> Iterator[Json]:
        counts: Counter[Kind] = Counter()
        listed = 0
        for page in _pages(pairs(old.expansion, new.expansion)):
            counts.update(pair.kind for pair in page)
            others = [pair for pair in page if pair.kind is not Kind.KEPT]
            some = others if limit is None else others[: limit - listed]
            listed += len(some)
            yield from self._page(old, new, some)
        yield {
            "kind": "counts",
            "old": _row_json(old.row),
            "new": _row_json(new.row),
            "counts": _counted(counts),
        }

    def _page(self, old: _Side, new: _Side, page: list[Pair]) -> Iterator[Json]:
        if not page:
            return
        old_cell, new_cell = (
            self._cells(old, (pair.old for pair in page)),
            self._cells(new, (pair.new for pair in page)),
        )
        for pair in page:
            yield {
                "kind": pair.kind,
                "label": _label(old, new, pair),
                "old": (
                    None if pair.old is None else _render_json(old, pair.old, old_cell(pair.old))
                ),
                "new": (
                    None if pair.new is None else _render_json(new, pair.new, new_cell(pair.new))
                ),
                "changes": [asdict(change) for change in _changes(old, new, pair)],
            }

    def _tiles(self, old: _Side, new: _Side, page: list[Pair]) -> Iterator[PairOfCells]:
        old_cell, new_cell = (
            self._cells(old, (pair.old for pair in page)),
            self._cells(new, (pair.new for pair in page)),
        )
        for pair in page:
            assert pair.old is not None
            assert pair.new is not None
            numbers = f"#{pair.new}" if pair.old == pair.new else f"#{pair.old} -> #{pair.new}"
            yield PairOfCells(
                old=old_cell(pair.old),
                new=new_cell(pair.new),
                label=f"{numbers} · {_label(old, new, pair)}",
                changes=[change.words for change in _changes(old, new, pair)],
            )


def _pages(found: Iterable[Pair]) -> Iterator[list[Pair]]:
    series = iter(found)
    while page := list(islice(series, _AT_ONCE)):
        yield page


def _changes(old: _Side, new: _Side, pair: Pair) -> list[Any]:
    if pair.old is None or pair.new is None:
        return []
    return changes(named(old.expansion, pair.old), named(new.expansion, pair.new))


def _label(old: _Side, new: _Side, pair: Pair) -> str:
    was = None if pair.old is None else old.expansion.render(pair.old)[1]
    now = was if pair.new is None else new.expansion.render(pair.new)[1]
    assert now is not None
    return cell_label(
        None if was is None else was.shot.coordinates, now.shot.coordinates, now.seed
    )


def _render_json(side: _Side, number: int, cell: Cell) -> Json:
    _, render = side.expansion.render(number)
    return {
        "number": number,
        "shot": render.shot.key,
        "coordinates": render.shot.coordinates,
        "seed": render.seed,
        "state": cell.state,
        "key": cell.key,
    }


def _row_json(row: CampaignRow) -> Json:
    return {"campaign": row.name, "version": row.version}


def _counted(counts: Mapping[Kind, int]) -> Json:
    return {kind.value: counts.get(kind, 0) for kind in Kind}


def _title(old: _Side, new: _Side, counts: Mapping[Kind, int], drawn: int) -> Iterator[str]:
    yield f"{old.title} on the left, {new.title} on the right"
    told = ", ".join(f"{count:,} {kind}" for kind, count in _counted(counts).items())
    changed = counts.get(Kind.CHANGED, 0)
    yield told if drawn == changed else f"{told}: the first {drawn:,} changed cells"


def _largest(old: _Side, new: _Side, chosen: Iterable[Pair]) -> tuple[int, int]:
    """The largest width and the largest height of any of the pictures, in pixels."""
    numbers = [
        (side.expansion, number)
        for pair in chosen
        for side, number in ((old, pair.old), (new, pair.new))
        if number is not None
    ]
    groups = [expansion.group(expansion.group_of(number)) for expansion, number in numbers]
    return max((group.width for group in groups), default=1), max(
        (group.height for group in groups), default=1
    )
