"""The filmstrip of a campaign: a row for each picture, its steps from left to right, the finished
picture last, and under each how far it is from its anchor.
"""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from farm.results.lettering import Lettering
from farm.results.sheet_cells import FAINT, INK, PAPER, draw_picture
from farm.results.sheet_layout import GAP, MAX_PIXELS, MAX_SIDE
from farm.results.steps import Look, Strip
from storage.errors import RequestError

MAX_STRIPS = 400

_CAPTION, _TITLE = 11, 18  # pixels
_CELL = 128
_MARGIN = 2 * GAP
_STOPPED = (253, 238, 198)
_MISSING = (236, 236, 232)


def draw_strips(strips: Sequence[Strip], title: str) -> bytes:
    """A PNG of strips. Raises RequestError if there are none, or too many for one picture."""
    if not strips:
        raise RequestError(
            "The campaign has no steps to show: none of its renders has ended, or it keeps no"
            " `previews`."
        )
    caption, heading = Lettering(_CAPTION), Lettering(_TITLE)
    steps = sorted({look.step for strip in strips for look in strip.looks if look.step})
    columns = [*steps, None]
    row = 3 * caption.line + _CELL + 2 * GAP
    top = _MARGIN + heading.line + caption.line
    size = 2 * _MARGIN + len(columns) * (_CELL + GAP) - GAP, top + len(strips) * row
    if len(strips) > MAX_STRIPS or max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
        raise RequestError(
            f"The steps of {len(strips):,} pictures do not fit onto one sheet (at most"
            f" {MAX_STRIPS}): choose some with --where."
        )
    image = Image.new("RGB", size, PAPER)
    (line, *_) = heading.wrap(title, size[0] - 2 * _MARGIN, 1)
    heading.draw(image, _MARGIN, GAP, line, INK)
    for k, step in enumerate(columns):
        text = "finished" if step is None else f"step {step}"
        x = _MARGIN + k * (_CELL + GAP)
        caption.draw(image, x, _MARGIN + heading.line - GAP, text, FAINT)
    for k, strip in enumerate(strips):
        _draw_strip(image, top + k * row, strip, columns, caption)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _draw_strip(
    image: Image.Image, y: int, strip: Strip, columns: Sequence[int | None], caption: Lettering
) -> None:
    width = image.width - 2 * _MARGIN
    (name, *_) = caption.wrap(f"{strip.name} · {strip.state}", width, 1)
    caption.draw(image, _MARGIN, y, name, INK)
    y += caption.line + GAP // 2
    looks = {look.step: look for look in strip.looks}
    for k, step in enumerate(columns):
        if step in looks:
            _draw_look(image, _MARGIN + k * (_CELL + GAP), y, looks[step], caption)


def _draw_look(image: Image.Image, x: int, y: int, look: Look, caption: Lettering) -> None:
    if look.pixels is None:
        fill = _STOPPED if look.step is None else _MISSING
        ImageDraw.Draw(image).rectangle([x, y, x + _CELL - 1, y + _CELL - 1], fill=fill)
        text = "not finished" if look.step is None else "file missing"
        caption.draw(image, x + GAP, y + _CELL // 2, text, FAINT)
    else:
        picture = Image.fromarray(look.pixels)
        if max(picture.size) < _CELL:  # a fast preview has a pixel for each latent pixel
            scale = _CELL / max(picture.size)
            sides = round(picture.width * scale), round(picture.height * scale)
            picture = picture.resize(sides, Image.Resampling.BICUBIC)
        draw_picture(image, (x, y, x + _CELL, y + _CELL), picture)
    text = "no anchor" if look.drift is None else f"drift {look.drift:.2f}"
    if look.pixels is not None:
        caption.draw(image, x, y + _CELL + 2, text, FAINT)
