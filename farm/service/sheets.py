"""Drawing contact sheets: pages of a campaign's pictures as they are now."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.campaign.expansion import Expansion
from farm.campaign.selection import proof_numbers
from farm.campaign.specs import expansion_of
from farm.results.manifest import manifest_lines
from farm.results.sheet import draw_page
from farm.results.sheet_axes import matrix_of, sheet_axes
from farm.results.sheet_cells import Cell, cells_among, cells_of
from farm.results.sheet_files import as_png, write_pdf
from farm.results.sheet_pages import MAX_CELLS, Page, Pages
from farm.results.where import read_conditions, resolve
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome
from storage.states import Stage
from storage.store import Outputs
from storage.verdicts import Verdicts

MAX_PDF_PAGES = 100
"""Pages of one PDF: drawing 100 of them takes minutes."""
_AT_ONCE = 5_000  # numbers in one query


@dataclass(frozen=True, kw_only=True)
class SheetChoice:
    """What a sheet shows, as it is asked for."""

    version: int | None = None
    stage: Stage = Stage.FINAL
    where: Sequence[str] = ()
    """Conditions like `product=mug`: only the renders that they choose are drawn."""
    rows: str = ""
    """The names of axes, with commas between them."""
    columns: str = ""


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    campaign: CampaignRow
    expansion: Expansion
    pages: Pages
    verdicts: Verdicts
    proofs: NDArray[np.int64] | None
    """The renders that have a proof, if it is a sheet of proofs."""
    chosen: Collection[int] | None


class Sheets:
    """Draws what the job database and the outputs have."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._outputs = outputs

    def png(
        self, project: str, name: str, choice: SheetChoice, number: int | None = None
    ) -> tuple[bytes, int]:
        """A page of a sheet, from 1, and how many it has. Raises RequestError for a page that it
        does not have, or if it has several and none is named.
        """
        sheet = self._open(project, name, choice)
        count = sheet.pages.count
        if number is None and count > 1:
            raise RequestError(_too_many(sheet, choice))
        first, _ = _span(count, (number or 1, number or 1))
        return as_png(self._draw(sheet, first)), count

    def pdf(
        self, project: str, name: str, choice: SheetChoice, span: tuple[int, int] | None = None
    ) -> IO[bytes]:
        """A temporary file with the pages from one to another, both included, or all of them.
        Raises RequestError for more than 100, or for pages that the sheet does not have.
        """
        sheet = self._open(project, name, choice)
        count = sheet.pages.count
        first, last = _span(count, span or (1, count))
        if last - first >= MAX_PDF_PAGES:
            raise RequestError(
                f"The sheet has {count:,} pages, and one PDF at most {MAX_PDF_PAGES}: choose some"
                f" of them, as in page 1-{MAX_PDF_PAGES}."
            )
        file = TemporaryFile()  # noqa: SIM115 - the caller reads it and closes it
        try:
            pages = (self._draw(sheet, k) for k in range(first, last + 1))
            write_pdf(file, pages, sheet.campaign.title)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def _open(self, project: str, name: str, choice: SheetChoice) -> _Sheet:
        final = self._campaign(project, name, choice.version)
        is_final = choice.stage is Stage.FINAL
        campaign = final if is_final else self._campaigns.proofs_of(final)
        expansion = expansion_of(campaign.spec)
        axes = sheet_axes(expansion)
        return _Sheet(
            campaign=campaign,
            expansion=expansion,
            pages=Pages(axes, matrix_of(expansion, axes, choice.rows, choice.columns)),
            verdicts=self._reviews.verdicts(campaign),
            proofs=None if is_final else _with_proof(final),
            chosen=self._chosen(campaign, choice.where) if choice.where else None,
        )

    def _campaign(self, project: str, name: str, version: int | None) -> CampaignRow:
        return (
            self._campaigns.get(project, name)
            if version is None
            else self._campaigns.version(project, name, version)
        )

    def _chosen(self, campaign: CampaignRow, where: Sequence[str]) -> Collection[int]:
        lines = partial(manifest_lines, self._campaigns, self._reviews, campaign)
        chosen = resolve(read_conditions(where), lines())
        return {line["number"] for line in lines() if chosen.chooses(line)}

    def _draw(self, sheet: _Sheet, number: int) -> Image.Image:
        page = sheet.pages.page(number - 1)
        return draw_page(sheet.expansion, page, self._cell_of(sheet, page), self._outputs)

    def _cell_of(self, sheet: _Sheet, page: Page) -> Callable[[int], Cell]:
        """The cells of one page: no others are read."""
        under_way = self._campaigns.under_way(sheet.campaign.id)
        ended = self._ended(sheet, page)
        proofs = None if sheet.proofs is None else _among(page.numbers, sheet.proofs)
        cell_of = cells_of(
            sheet.campaign, sheet.expansion, ended, under_way, sheet.verdicts, proofs
        )
        return cell_of if sheet.chosen is None else cells_among(sheet.chosen, cell_of)

    def _ended(self, sheet: _Sheet, page: Page) -> Iterator[RenderOutcome]:
        """The renders of a page that have ended, versions of a picture in their order."""
        shown = set(page.numbers)
        redos = sorted(r.number for r in sheet.expansion.redos.values() if r.of in shown)
        numbers = [*page.numbers, *redos]
        for start in range(0, len(numbers), _AT_ONCE):
            wanted = numbers[start : start + _AT_ONCE]
            found = self._campaigns.outcomes_of(sheet.campaign.id, wanted)
            yield from sorted(found, key=lambda outcome: outcome.number)


def _with_proof(final: CampaignRow) -> NDArray[np.int64]:
    expansion = expansion_of(final.spec)
    assert expansion.campaign.proof is not None, "it has a campaign of proofs"
    return proof_numbers(expansion, expansion.campaign.proof)


def _among(numbers: Sequence[int], chosen: NDArray[np.int64]) -> frozenset[int]:
    return frozenset(np.intersect1d(np.asarray(numbers, np.int64), chosen).tolist())


def _span(count: int, span: tuple[int, int]) -> tuple[int, int]:
    first, last = span
    if not 1 <= first <= last <= count:
        asked = f"page {first:,}" if first == last else f"pages {first:,} to {last:,}"
        there = f"pages 1 to {count:,}" if count > 1 else "one page"
        raise RequestError(f"The sheet has {there}, so {asked} cannot be drawn.")
    return first, last


def _too_many(sheet: _Sheet, choice: SheetChoice) -> str:
    if choice.rows or choice.columns:
        return (
            f"The sheet has {sheet.pages.count:,} pages: name one of them, or ask for a PDF of"
            " them."
        )
    return (
        f"The campaign's cells are too many for one sheet (at most {MAX_CELLS:,}): name one of its"
        f" {sheet.pages.count:,} pages, or ask for a PDF of them, as `farm sheet"
        f" {sheet.campaign.title} --out FILE.pdf` does."
    )
