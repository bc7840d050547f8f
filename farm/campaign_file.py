"""From a campaign file on disk to a campaign that needs nothing beside it: CSV files are read in, paths made absolute."""

import csv
import io
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.campaign import Campaign
from farm.checks import parse_campaign
from farm.document import Document, DocumentError, Problem, read_document, read_text
from farm.sources import FILES, NONE
from storage.outputs import SCHEME


@dataclass(frozen=True)
class CampaignFile:
    """A checked campaign, and the file that it stands in, for whoever finds more to say about its lines."""

    campaign: Campaign
    document: Document
    warnings: tuple[Problem, ...] = ()
    """What was read, and may not be what was meant. The farm adds its own when it answers a submission."""


def load_campaign(path: Path) -> CampaignFile:
    """Read and check a campaign file. Raises RequestError or DocumentError, naming file and line."""
    document = read_document(path)
    folder = path.absolute().parent
    data = dict(document.data)
    if isinstance(data.get("vary"), dict):
        data["vary"] = {name: _with_csv(raw, folder, name, document) for name, raw in data["vary"].items()}
    model = data.get("model")
    if isinstance(model, str) and model != "seedling" and os.path.isdir(folder / model):  # noqa: PTH112  # says no to impossible names
        data["model"] = str(folder / model)
    return CampaignFile(parse_campaign(_with_whole_paths(data, folder), document), document)


def _with_whole_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """With the paths of references and adapters made absolute, wherever they stand. What is no such file is left for the check."""

    def whole(name: str, value: Any, files: Collection[str] = FILES) -> Any:
        if isinstance(value, dict):
            return {part: whole(part, inner, files) for part, inner in value.items()}
        if isinstance(value, list):
            return [whole(name, inner, files) for inner in value]
        is_path = isinstance(value, str) and name in files and value not in ("", NONE) and not value.startswith(SCHEME)
        return os.path.normpath(folder / value) if is_path else value

    named = {"reference": ("image",), "adapters": ("lora",), "vary": FILES, "skip": FILES}
    return {key: whole("", value, named[key]) if key in named else value for key, value in data.items()}


def _with_csv(raw: Any, folder: Path, axis: str, document: Document) -> Any:
    if not (isinstance(raw, dict) and set(raw) == {"csv"}):
        return raw
    try:
        return [_with_numbers(row) for row in read_csv(folder / str(raw["csv"]))]
    except ValueError as exc:
        raise DocumentError([Problem(("vary", axis, "csv"), str(exc))], document) from exc


def _with_numbers(row: dict[str, str]) -> dict[str, str | int | float]:
    """A table has only text; the settings that are numbers become numbers, or stay text for the check to refuse."""
    typed: dict[str, str | int | float] = dict(row)
    for name, kind in (("steps", int), ("batch", int), ("guidance", float), ("strength", float), ("lora_scale", float)):
        if name in row:
            with suppress(ValueError):
                typed[name] = kind(row[name])
    return typed


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a heading line. Raises ValueError, naming file and line, for what is no clean table."""
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as exc:
        raise ValueError(f"{path}: the file is no CSV table: {exc}.") from exc
    except ValueError as exc:
        raise ValueError(f"{path}: {exc}") from exc
    if len(rows) < 2:
        raise ValueError(f"{path}: the file is empty: a heading line and at least one row are expected.")
    heading = [cell.strip() for cell in rows[0][1]]
    if not all(heading) or len(set(heading)) < len(heading):
        raise ValueError(f"{path}:1: every column needs a heading of its own.")
    for line, row in rows[1:]:
        if len(row) != len(heading):
            raise ValueError(f"{path}:{line}: the row has {len(row)} cells where the heading has {len(heading)}.")
    return [dict(zip(heading, (cell.strip() for cell in row), strict=True)) for _, row in rows[1:]]
