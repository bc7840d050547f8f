"""The page of an export: every render with its picture, coordinates, seed and state, in HTML that
needs nothing else to be read.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from html import escape
from importlib.resources import files
from itertools import chain, islice
from typing import Any
from urllib.parse import quote

from farm.client.copying import thumbnail_of
from farm.documents.counting import counted
from farm.results.line import ExportedLine
from farm.results.line_fields import coordinates_of
from farm.service.views import CampaignStatus

INDEX = "index.html"
RENDERS_PER_PAGE = 2_000  # browsers scroll through so many without a pause
_SHOWN_SETTINGS = (
    "steps", "guidance", "guidance_kind", "guidance_rescale", "scheduler", "spacing",
    "terminal_snr", "eta", "clip_skip", "vae_tile", "size", "strength",
)  # fmt: skip
# Nothing is fetched but pictures, and nothing runs: whatever a prompt holds is text.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file: data:; base-uri 'none';"
    " form-action 'none'"
)


@cache
def _style() -> str:
    return files("farm.client").joinpath("gallery.css").read_text(encoding="utf-8")


def page_name(number: int) -> str:
    """The first page is the index."""
    return INDEX if number == 1 else f"index-{number}.html"


def write_pages(
    lines: Iterable[ExportedLine],
    total: int,
    campaign: CampaignStatus,
    links: Iterable[str],
    put: Callable[[str, bytes], None],
) -> list[str]:
    """Write a page for each RENDERS_PER_PAGE of the lines; returns the names of the pages. `links`
    are other files of the export.
    """
    left = iter(lines)
    pages = max(1, -(-total // RENDERS_PER_PAGE))
    links = list(links)
    names = [page_name(number) for number in range(1, pages + 1)]
    for number, name in enumerate(names, start=1):
        cards = map(_card, islice(left, RENDERS_PER_PAGE))
        top = _top(campaign, total, links, number if pages > 1 else None, names)
        put(
            name,
            "".join(
                chain(top, cards, ["</main>\n", *_turn(number, names), "</body>\n</html>\n"])
            ).encode(errors="replace"),
        )
    return names


def _top(
    campaign: CampaignStatus,
    total: int,
    links: Iterable[str],
    number: int | None,
    names: list[str],
) -> Iterator[str]:
    title = escape(f"{campaign.campaign} · {campaign.project}")
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta'
        ' name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
    )
    yield (
        f"<header>\n<h1>{escape(campaign.campaign)}</h1>\n<p>Project {escape(campaign.project)},"
        f" {counted(total, 'render')}."
    )
    if left := campaign.renders.left:
        yield f" {counted(left, 'render')} of the campaign had not ended when this was written."
    yield f"</p>\n<nav>{' '.join(_link(name) for name in links)}</nav>\n"
    if number is not None:
        yield from _turn(number, names)
    yield "</header>\n<main>\n"


def _turn(number: int, names: list[str]) -> Iterator[str]:
    """Links to the other pages."""
    if len(names) > 1:
        places = (
            f"<b>{k}</b>" if k == number else f'<a href="{_address(name)}">{k}</a>'
            for k, name in enumerate(names, start=1)
        )
        yield f"<nav>Page {' '.join(places)}</nav>\n"


def _card(line: ExportedLine) -> str:
    values = "".join(_term(name, value) for name, value in coordinates_of(line).items())
    bad = "" if line["path"] else ' class="bad"'
    state = f"<span{bad}>{escape(str(line['state']))}</span>"
    why = "" if line["path"] else f'<p class="bad">{_text(line["detail"] or line["reason"])}</p>\n'
    return (
        f'<article id="r{line["number"]}">\n{_picture(line)}<div class="text">\n'
        f"<h2><span>{line['number']}</span>{state}</h2>\n"
        f"<dl>{values}{_term('seed', line['seed'])}</dl>\n{why}{_sizes(line)}"
        f"<details><summary>Prompt</summary>\n{_prompt(line)}</details>\n</div>\n</article>\n"
    )


def _picture(line: ExportedLine) -> str:
    path = line["path"]
    if not path:
        return f'<div class="none">{escape(str(line["state"]))}</div>\n'
    width, height = (int(side) for side in line["settings"]["size"].split("x"))
    named = ", ".join(f"{name} {value}" for name, value in coordinates_of(line).items())
    described = escape(f"Render {line['number']}: {named}")
    return (
        f'<a href="{_address(path)}"><img src="{_address(thumbnail_of(path) or path)}"'
        f' width="{width}" height="{height}" loading="lazy" alt="{described}"></a>\n'
    )


def _sizes(line: ExportedLine) -> str:
    """Links to the files in the sizes that were asked for."""
    links = (
        f'<a href="{_address(path)}">{escape(path.rsplit(".", 2)[1])}</a>'
        for path in line["size_paths"]
    )
    return f"<p>{' '.join(links)}</p>\n" if line["size_paths"] else ""


def _prompt(line: ExportedLine) -> str:
    settings = ", ".join(
        f"{name} {value}"
        for name, value in line["settings"].items()
        if name in _SHOWN_SETTINGS and value is not None
    )
    negative = f"<p>Not: {_text(line['negative'])}</p>\n" if line["negative"] else ""
    return f'<p dir="auto">{_text(line["prompt"])}</p>\n{negative}<p>{_text(settings)}</p>\n'


def _term(name: str, value: Any) -> str:
    return f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>"


def _text(value: Any) -> str:
    """Text of a stranger: no markup, and set apart, so that it turns no text around it."""
    return f"<bdi>{escape(str(value))}</bdi>"


def _link(name: str) -> str:
    return f'<a href="{_address(name)}">{escape(name)}</a>'


def _address(path: str) -> str:
    """A path from the page, which no name in it can turn into another address."""
    return escape("./" + quote(path, safe="/", errors="replace"))
