"""What a cell of the contact sheet tells of its render, and how it looks, with a picture or
without one.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from PIL import Image, ImageDraw

from actors.pictures.files import read
from farm.campaign.expansion import Expansion
from farm.results.lettering import Color, Lettering
from storage.errors import NotFound
from storage.rows import CampaignRow, Chunk, RenderOutcome
from storage.states import RenderState, Verdict
from storage.store import Outputs
from storage.verdicts import Verdicts

INK: Color = (40, 40, 44)
PAPER: Color = (250, 250, 248)
FAINT: Color = (108, 108, 114)


class CellState(StrEnum):
    """The state of a cell's render, in the order of the legend. A LOST render is done, but its
    file is missing or cannot be read.
    """

    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    UNDECIDED = "undecided"
    """Its final is painted if a person approves it."""
    NO_PROOF = "no proof"
    HELD = "held"
    FAILED = "failed"
    LOST = "file missing"
    SKIPPED = "skipped"
    LEFT_OUT = "not chosen"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NONE = "no render"
    """Its shot has fewer seeds than others."""


Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; the last two are outside."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    state: CellState
    key: str | None = None
    """The key of the picture, if there is one: a render that is held may have one too."""
    why: str = ""
    """Why it failed or is held, for a person."""
    failed_rules: tuple[str, ...] = ()
    """The rules of its brand that the picture fails."""
    drift: float | None = None
    """From 0, the composition of its anchor, to 1; None if it was not measured."""
    has_drifted: bool = False
    """Whether that is beyond the campaign's limit."""
    verdict: Verdict | None = None
    number: int | None = None
    """The render's number, if it is not that of the cell: it was asked for again."""
    version: int = 1


@dataclass(frozen=True)
class _Look:
    fill: Color
    line: Color


LOOKS = {
    CellState.DONE: _Look((176, 200, 172), (112, 146, 108)),
    CellState.RUNNING: _Look((214, 229, 247), (58, 112, 186)),
    CellState.WAITING: _Look((234, 234, 231), (176, 176, 170)),
    CellState.UNDECIDED: _Look((242, 238, 226), (150, 138, 96)),
    CellState.NO_PROOF: _Look((247, 247, 247), (196, 196, 200)),
    CellState.HELD: _Look((253, 238, 198), (184, 132, 16)),
    CellState.FAILED: _Look((250, 222, 217), (186, 52, 42)),
    CellState.LOST: _Look((236, 224, 245), (128, 76, 168)),
    CellState.SKIPPED: _Look(PAPER, (218, 218, 213)),
    CellState.LEFT_OUT: _Look((246, 246, 242), (226, 226, 222)),
    CellState.CANCELLED: _Look((240, 240, 238), (150, 150, 146)),
    CellState.REJECTED: _Look((245, 232, 232), (150, 88, 88)),
    CellState.NONE: _Look(PAPER, PAPER),
}
_EDGE: Color = (214, 214, 210)
_HATCH = 8  # pixels between the lines over a skipped cell
_MARK = 9  # pixels: half of the largest sign of a state
_PAD = 4


def cells_of(
    campaign: CampaignRow,
    expansion: Expansion,
    outcomes: Iterable[RenderOutcome],
    under_way: Iterable[Chunk],
    verdicts: Verdicts | None = None,
    proofs: Collection[int] | None = None,
) -> Callable[[int], Cell]:
    """What gives a render's cell by its number: of pictures that were asked for again, the last
    one that has ended, or the one that is painted now. Of a campaign of proofs, `proofs` are the
    renders that have one.
    """
    known = {
        expansion.origin(outcome.number): _versioned(
            _ended(outcome, expansion), expansion, outcome.number, verdicts
        )
        for outcome in outcomes
    }
    known.update(
        (
            expansion.origin(number),
            _versioned(Cell(state=CellState.RUNNING), expansion, number, verdicts),
        )
        for chunk in under_way
        for number in _numbers(expansion, chunk)
    )
    skipped, none = Cell(state=CellState.SKIPPED), Cell(state=CellState.NONE)
    last = {redo.of: redo.number for redo in expansion.redos.values()}

    def cell_of(number: int) -> Cell:
        if cell := known.get(number):
            return cell
        if not expansion.has(number):
            return skipped if expansion.is_skipped(number) else none
        versions = (number, last.get(number, number))
        return _open_cell(campaign, versions, verdicts, proofs, expansion)

    return cell_of


def _open_cell(
    campaign: CampaignRow,
    versions: tuple[int, int],
    verdicts: Verdicts | None,
    proofs: Collection[int] | None,
    expansion: Expansion,
) -> Cell:
    """The cell of a render none of whose versions has begun: `versions` has the first and the last
    one.
    """
    first, last = versions
    if campaign.cancelled_at is not None:
        return _versioned(Cell(state=CellState.CANCELLED), expansion, first, verdicts)
    if proofs is not None and first == last and first not in proofs:
        return _versioned(Cell(state=CellState.NO_PROOF), expansion, first, verdicts)
    if campaign.released is None or verdicts is None:
        return _versioned(Cell(state=CellState.WAITING), expansion, first, verdicts)
    # The last version that is approved will be painted; else the last one is in question.
    wanted = [number for number in (first, last) if verdicts.of(number) is Verdict.APPROVED]
    state = _OPEN[Verdict.APPROVED if wanted else verdicts.of(last)]
    return _versioned(Cell(state=state), expansion, wanted[-1] if wanted else last, verdicts)


_OPEN = {
    None: CellState.UNDECIDED,
    Verdict.APPROVED: CellState.WAITING,
    Verdict.REJECTED: CellState.REJECTED,
}


def _versioned(cell: Cell, expansion: Expansion, number: int, verdicts: Verdicts | None) -> Cell:
    """A cell with the verdict on its render, and which version of the picture that is."""
    redo = expansion.redos.get(number)
    return replace(
        cell,
        verdict=None if verdicts is None else verdicts.of(number),
        number=None if redo is None else number,
        version=1 if redo is None else redo.version,
    )


def cells_among(chosen: Collection[int], cell_of: Callable[[int], Cell]) -> Callable[[int], Cell]:
    """The same, with nothing but their state of the renders that are not chosen."""
    left_out = Cell(state=CellState.LEFT_OUT)
    return lambda number: cell_of(number) if number in chosen else left_out


def read_cell(outputs: Outputs, cell: Cell) -> tuple[Cell, Image.Image | None]:
    """A cell with its picture, if it has one; LOST if somebody has moved its file away or damaged
    it.
    """
    if cell.state not in (CellState.DONE, CellState.HELD):
        return cell, None
    lost = Cell(state=CellState.LOST) if cell.state is CellState.DONE else cell
    if cell.key is None:
        return lost, None
    try:
        with outputs.open(cell.key) as file:
            picture = read(file.read())
    except NotFound:
        return lost, None
    return (lost, None) if picture is None else (cell, Image.fromarray(picture.pixels))


def draw_picture(image: Image.Image, box: Box, picture: Image.Image) -> Box:
    """Draw a picture in the middle of a box, as large as fits, with an edge around it. Returns
    where it is.
    """
    left, top, right, bottom = box
    picture.thumbnail((right - left, bottom - top), Image.Resampling.LANCZOS)
    x, y = left + (right - left - picture.width) // 2, top + (bottom - top - picture.height) // 2
    ImageDraw.Draw(image).rectangle(
        [x - 1, y - 1, x + picture.width, y + picture.height], outline=_EDGE
    )
    image.paste(picture, (x, y))
    return x, y, x + picture.width, y + picture.height


def draw_state(image: Image.Image, box: Box, state: CellState) -> None:
    """Fill a box (left, top, right, bottom; the last two are outside) as a cell of a state without
    a picture looks.
    """
    left, top, right, bottom = box
    look, pen = LOOKS[state], ImageDraw.Draw(image)
    pen.rectangle([left, top, right - 1, bottom - 1], fill=look.fill, outline=look.line)
    if state is CellState.SKIPPED:
        _hatch(image, box, look.line)
    size = min(_MARK, (right - left) // 3, (bottom - top) // 3)
    _mark(
        pen, state, (left + right) // 2, top + min((bottom - top) // 2, 2 * _MARK), size, look.line
    )


def draw_cell(image: Image.Image, box: Box, cell: Cell, lettering: Lettering) -> None:
    """The same with words under the mark, as far as there is room: what state it is, and why."""
    draw_state(image, box, cell.state)
    left, top, right, bottom = box
    y = top + 4 * _MARK
    room, width = (bottom - y - _PAD) // lettering.line, right - left - 2 * _PAD
    if room < 1 or lettering.width(cell.state) > width:
        return
    lines = [
        cell.state.value,
        *(lettering.wrap(cell.why, width, room - 1) if cell.why and room > 1 else []),
    ]
    ink = LOOKS[cell.state].line if cell.state is CellState.WAITING else INK
    for line in lines:
        lettering.draw(image, left + (right - left - lettering.width(line)) / 2, y, line, ink)
        y += lettering.line


def _numbers(expansion: Expansion, chunk: Chunk) -> Iterable[int]:
    if chunk.numbers is not None:
        return chunk.numbers
    return (render.number for render in expansion.renders(chunk.group_no, chunk.start, chunk.stop))


def _ended(outcome: RenderOutcome, expansion: Expansion) -> Cell:
    if outcome.state is RenderState.CANCELLED:
        return Cell(state=CellState.CANCELLED)
    if outcome.state is RenderState.REJECTED:
        return Cell(state=CellState.REJECTED)
    drift, wanted = outcome.drift, expansion.campaign.drift
    limit = None if wanted is None else wanted.limit
    return Cell(
        state=_STATES[outcome.state],
        key=outcome.key,
        why="" if outcome.state is RenderState.DONE else _why(outcome),
        failed_rules=outcome.rules_failed,
        drift=drift,
        has_drifted=drift is not None and limit is not None and drift > limit,
    )


_STATES = {
    RenderState.DONE: CellState.DONE,
    RenderState.HELD: CellState.HELD,
    RenderState.FAILED: CellState.FAILED,
}


def _why(outcome: RenderOutcome) -> str:
    reason = outcome.reason.replace("_", " ")
    return f"{reason}: {outcome.detail}" if outcome.detail else reason


def _hatch(image: Image.Image, box: Box, color: Color) -> None:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    mask = Image.new("1", (width, height))
    pen = ImageDraw.Draw(mask)
    for x in range(-height, width, _HATCH):
        pen.line([(x, height), (x + height, 0)], fill=1)
    image.paste(color, (left, top), mask)


def _mark(
    pen: ImageDraw.ImageDraw, state: CellState, x: int, y: int, size: int, color: Color
) -> None:
    """A sign that tells the states apart without their colours, about a point."""
    match state:
        case CellState.RUNNING:
            pen.polygon(
                [(x - size // 2, y - size), (x - size // 2, y + size), (x + size, y)], fill=color
            )
        case CellState.HELD:
            for left in (x - size, x + size // 3):
                pen.rectangle([left, y - size, left + size * 2 // 3, y + size], fill=color)
        case CellState.UNDECIDED | CellState.NO_PROOF:
            _mark_review(pen, state, x, y, size, color)
        case CellState.FAILED:
            for slope in (1, -1):
                pen.line(
                    [(x - size, y - size * slope), (x + size, y + size * slope)],
                    color,
                    max(2, size // 4),
                )
        case CellState.LOST:
            pen.ellipse(
                [x - size, y - size, x + size, y + size], outline=color, width=max(1, size // 4)
            )
            pen.line([(x - size, y + size), (x + size, y - size)], color, max(1, size // 4))
        case CellState.CANCELLED | CellState.REJECTED:
            pen.line([(x - size, y), (x + size, y)], color, max(2, size // 4))


def _mark_review(
    pen: ImageDraw.ImageDraw, state: CellState, x: int, y: int, size: int, color: Color
) -> None:
    """Three points for a decision that is open, an empty square for a proof that there is not."""
    if state is CellState.NO_PROOF:
        pen.rectangle([x - size, y - size, x + size, y + size], outline=color)
        return
    for left in (x - size, x - size // 4, x + size // 2):
        pen.rectangle([left, y - size // 4, left + size // 2, y + size // 4], fill=color)
