"""From a campaign file on disk to a campaign that needs nothing beside it: CSV files are read in,
paths made absolute.
"""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.campaign.addresses import whole_address
from farm.campaign.brand import load_pack, version_named
from farm.campaign.checks import parse_campaign
from farm.campaign.given import with_given
from farm.campaign.schema import Campaign
from farm.campaign.sources import FILES, NONE
from farm.campaign.texts import overruled
from farm.campaign.written import cut_problems, text_warnings, with_written_texts
from farm.documents.csv_table import read_table
from farm.documents.document import (
    Document,
    DocumentError,
    Problem,
    Table,
    did_you_mean,
    read_document,
)

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class CampaignFile:
    """A checked campaign, and the file that it stands in, for whoever finds more to say about its
    lines.
    """

    campaign: Campaign
    document: Document
    warnings: tuple[Problem, ...] = ()
    """Parts of the file that may not mean what their writer meant. The farm adds its own when it
    answers a submission.
    """


def load_campaign(path: Path, given: Sequence[str] = ()) -> CampaignFile:
    """Read and check a campaign file, with keys as `key=value` in the place of its own. Raises
    RequestError or DocumentError, naming file and line.
    """
    return campaign_of(with_given(read_document(path), given), path.absolute().parent)


def campaign_of(document: Document, folder: Path) -> CampaignFile:
    """The checked campaign of a document whose paths begin in a folder. Raises as `load_campaign`
    does.
    """
    if problems := list(cut_problems(document)):
        raise DocumentError(problems, document)
    data = with_written_texts(document)
    if isinstance(data.get("vary"), dict):
        data["vary"] = {
            name: _with_csv(raw, folder, name, document) for name, raw in data["vary"].items()
        }
    model = data.get("model")
    if isinstance(model, str) and model != "seedling":
        # leaves what is not a home as it is
        path = folder / os.path.expanduser(model)  # noqa: PTH111
        if os.path.isdir(path):  # noqa: PTH112  # says no to impossible names
            data["model"] = str(path)
    if isinstance(data.get("brand"), str):
        data["brand"] = _brand(data["brand"], folder, document)
    campaign = parse_campaign(_with_whole_paths(data, folder), document)
    return CampaignFile(
        campaign, document, (*text_warnings(document, campaign), *overruled(data, campaign))
    )


def _brand(named: str, folder: Path, document: Document) -> object:
    """What a campaign names as its brand: the contents of a pack's file, or a version of the
    farm's. Raises DocumentError if there is no such file, or with what is wrong in it.
    """
    if version_named(named) is not None:
        return named
    path = folder / os.path.expanduser(named)  # noqa: PTH111  # leaves what is not a home as it is
    if not os.path.isfile(path):  # noqa: PTH113  # says no to impossible names
        raise DocumentError(
            [
                Problem(
                    ("brand",),
                    f"there is no file {path}: write the file of a pack, or a version that the"
                    " farm has, like acme@3.",
                )
            ],
            document,
        )
    return load_pack(path).document


def _with_whole_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """With the paths of references and adapters made absolute, wherever they stand. Other values
    are left for the check.
    """

    def whole(name: str, value: Any, files: Collection[str] = FILES) -> Any:
        if isinstance(value, dict):
            return {part: whole(part, inner, files) for part, inner in value.items()}
        if isinstance(value, list):
            return [whole(name, inner, files) for inner in value]
        is_address = isinstance(value, str) and name in files and value not in ("", NONE)
        return whole_address(value, folder) if is_address else value

    named = {"reference": ("image",), "adapters": ("lora",), "vary": FILES, "skip": FILES}
    return {
        key: whole("", value, named[key]) if key in named else value for key, value in data.items()
    }


def _with_csv(raw: Any, folder: Path, axis: str, document: Document) -> Any:
    """An axis with the rows of the CSV file that it names, if it names one; the document learns
    their lines.
    """
    if not (isinstance(raw, dict) and set(raw) == {"csv"}):
        return raw
    place = ("vary", axis, "csv")
    try:
        path, options = _named_table(raw["csv"])
        table = read_table(folder / path, **options)
    except ValueError as exc:
        raise DocumentError([Problem(place, str(exc))], document) from exc
    document.tables[("vary", axis)] = Table(path, table.lines)
    return [_typed(row) for row in table.rows]


def _named_table(raw: Any) -> tuple[str, dict[str, str]]:
    """The file of `csv: FILE` or `csv: {file: FILE, delimiter: ";", encoding: cp1252}`, and how it
    is read.
    """
    if not isinstance(raw, dict):
        return str(raw), {}
    if unknown := next((key for key in raw if key not in ("file", "delimiter", "encoding")), None):
        raise ValueError(
            f"unknown key {unknown!r}: {did_you_mean(unknown, ('file', 'delimiter', 'encoding'))}"
        )
    if not all(isinstance(value, str) for value in raw.values()) or not raw.get("file"):
        raise ValueError(
            'a CSV file is written {file: FILE, delimiter: ";", encoding: cp1252}, of which `file`'
            " is needed: all are texts."
        )
    delimiter = raw.get("delimiter")
    if delimiter is None:
        return raw["file"], {key: value for key, value in raw.items() if key != "file"}
    delimiter = "\t" if delimiter.lower() in ("tab", "\\t") else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n ' or delimiter.isalnum():
        raise ValueError(
            f"the delimiter {delimiter!r} cannot part cells: it is one character like a comma or a"
            " semicolon, or the word tab."
        )
    return raw["file"], {
        **{key: value for key, value in raw.items() if key != "file"},
        "delimiter": delimiter,
    }


def _typed(row: dict[str, str]) -> dict[str, Any]:
    """A table has only text: settings that are numbers become numbers, or stay text for the check
    to refuse. An empty cell is `none` for a file.
    """
    typed: dict[str, Any] = dict(row)
    for name, text in row.items():
        if name in FILES and text == "":
            typed[name] = NONE
        elif name in ("steps", "batch") and _WHOLE.fullmatch(text):
            typed[name] = int(text)
        elif name in ("guidance", "strength", "lora_scale") and _NUMBER.fullmatch(text):
            typed[name] = float(text)
    return typed
