"""The command `sheet`: contact sheets as PNG or PDF."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.client.client import Client
from farm.commands.shared import (
    AsJson,
    CampaignName,
    Home,
    Project,
    print_json,
    say,
    settings_for,
)
from farm.connect import open_client
from storage.errors import RequestError

_SPAN = re.compile(r"([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?")
_AXES = "Axes that become {}, with commas between them; `seed` is one."


def sheet(
    campaign: CampaignName,
    rows: Annotated[str, typer.Option("--rows", help=_AXES.format("rows"))] = "",
    columns: Annotated[str, typer.Option("--columns", help=_AXES.format("columns"))] = "",
    proofs: Annotated[
        bool, typer.Option("--proofs", help="Of the proofs, not of the finals.")
    ] = False,
    steps: Annotated[
        bool,
        typer.Option("--steps", help="A filmstrip of each picture: its previews, then itself."),
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only these, as in product=mug. Repeatable."),
    ] = None,
    page: Annotated[
        str | None, typer.Option("--page", help="Only this page, or pages like 3-7.")
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="A .png or .pdf file; CAMPAIGN.png when not given. Several pages as PNG become"
            " FILE-1.png, FILE-2.png and so on.",
        ),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Draw the contact sheet of what is done so far."""
    target = (out_file or Path(f"{campaign}.png")).absolute()
    if target.suffix.lower() not in (".png", ".pdf"):
        raise RequestError(f"--out {out_file}: a sheet is a .png or a .pdf file.")
    choice = {
        "where": where or (),
        "stage": "proof" if proofs else "final",
        "rows": rows,
        "columns": columns,
        "pages": None if page is None else _span(page),
    }
    if steps:
        _check_filmstrip(target, proofs=proofs, has_layout=bool(rows or columns or page))
    with open_client(settings_for(home, project)) as client:
        files = _write(client, campaign, target, choice, steps=steps)
    if as_json:
        print_json({"campaign": campaign, "sheet": str(files[0]), "files": list(map(str, files))})
    else:
        say(_told(files))


def _check_filmstrip(target: Path, *, proofs: bool, has_layout: bool) -> None:
    if proofs or has_layout or target.suffix.lower() != ".png":
        raise RequestError(
            "--steps draws a filmstrip of each final as one PNG: it takes neither --proofs,"
            " --rows, --columns, --page nor a .pdf file."
        )


def _span(page: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(page.strip())
    if found is None:
        raise RequestError(f"--page {page}: name a page from 1, or pages like 3-7.")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise RequestError(f"--page {page}: the last page stands before the first one.")
    return first, last


def _write(
    client: Client, campaign: str, target: Path, choice: dict[str, Any], *, steps: bool
) -> list[Path]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if steps:
            target.write_bytes(client.filmstrip(campaign, where=choice["where"]))
            return [target]
        if target.suffix.lower() == ".pdf":
            _write_pdf(client, campaign, target, choice)
            return [target]
        return list(_write_pages(client.sheet_pages(campaign, **choice), target))
    except OSError as exc:
        raise RequestError(
            f"The sheet cannot be written to {target} ({exc.strerror}): choose another place with"
            " --out."
        ) from exc


def _write_pdf(client: Client, campaign: str, target: Path, choice: dict[str, Any]) -> None:
    """An older file stays until the new one is whole."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            client.sheet_pdf(campaign, file, **choice)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_pages(pages: Iterable[tuple[int, int, bytes]], target: Path) -> Iterator[Path]:
    for number, count, picture in pages:
        path = target if count == 1 else target.with_stem(f"{target.stem}-{number}")
        path.write_bytes(picture)
        yield path


def _told(files: list[Path]) -> str:
    if len(files) == 1:
        return f"Contact sheet: {files[0]}"
    return f"Contact sheet: {len(files):,} pages, {files[0]} to {files[-1].name}"
