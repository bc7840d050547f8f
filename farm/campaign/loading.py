"""From a campaign file on disk to a campaign that needs nothing beside it: CSV files are read in,
paths made absolute.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from farm.campaign.addresses import adapter_address, uploaded_digest, whole_address
from farm.campaign.brand import load_pack, version_named
from farm.campaign.checks import parse_campaign
from farm.campaign.given import with_given
from farm.campaign.named_files import with_adapters, with_folders, with_references
from farm.campaign.schema import Campaign
from farm.campaign.sources import FILES, NONE
from farm.campaign.texts import overruled
from farm.campaign.written import cut_problems, text_warnings, with_written_texts
from farm.documents.csv_table import CsvTable, read_table, table_of
from farm.documents.document import (
    Document,
    DocumentError,
    Problem,
    Table,
    did_you_mean,
    parse_document,
    read_document,
)

_FRACTIONS = (
    "guidance",
    "strength",
    "lora_scale",
    "control_scale",
    "likeness_scale",
    "eta",
    "guidance_rescale",
)
_WHOLE_NUMBERS = ("steps", "batch", "clip_skip", "vae_tile", "upscale_by")
UploadedTable = Callable[[str, str | None], str]
"""The text of an uploaded table, given its digest and its encoding if that is known. Raises
ValueError, as a sentence.
"""
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


class Beside(Protocol):
    """The files that a campaign's text may name."""

    def table(self, name: str, options: Mapping[str, str]) -> CsvTable:
        """The rows of a CSV file. Raises ValueError, as a sentence."""

    def model(self, named: str) -> str: ...

    def brand(self, named: str, document: Document) -> object:
        """The contents of a pack's file, or the name of a version that the farm has. Raises
        DocumentError if there is no such file, or with what is wrong in it.
        """

    def with_whole_paths(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data with the paths of references and adapters made absolute."""


def load_campaign(path: Path, given: Sequence[str] = ()) -> CampaignFile:
    """Read and check a campaign file, with keys as `key=value` in the place of its own. Raises
    RequestError or DocumentError, naming file and line.
    """
    return campaign_of(with_given(read_document(path), given), path.absolute().parent)


def campaign_of(document: Document, folder: Path) -> CampaignFile:
    """The checked campaign of a document whose paths begin in a folder. Raises as `load_campaign`
    does.
    """
    return _read(document, _Folder(folder))


def campaign_from_text(
    text: str,
    tables: Mapping[str, str],
    source: str = "the text",
    uploaded: UploadedTable | None = None,
) -> CampaignFile:
    """Read and check a campaign's text that came over the network. It has the CSV files that came
    with it, by name, and those that were uploaded: nothing of this machine is read. Raises as
    `load_campaign`.
    """
    return _read(parse_document(text, source), _Sent(tables, uploaded))


def with_uploaded_tables(data: dict[str, Any], uploaded: UploadedTable) -> dict[str, Any]:
    """A campaign's data with the rows of the tables that its axes name by `{csv: file:SHA256}`.
    Raises DocumentError.
    """
    vary = data.get("vary")
    if not isinstance(vary, dict):
        return data
    document, sent = Document("the campaign", data), _Sent({}, uploaded)
    rows = {name: _with_csv(raw, sent, name, document) for name, raw in vary.items()}
    return {**data, "vary": rows}


def _read(document: Document, beside: Beside) -> CampaignFile:
    if problems := list(cut_problems(document)):
        raise DocumentError(problems, document)
    data = with_written_texts(document)
    if isinstance(data.get("vary"), dict):
        data["vary"] = {
            name: _with_csv(raw, beside, name, document) for name, raw in data["vary"].items()
        }
    if isinstance(data.get("model"), str):
        data["model"] = beside.model(data["model"])
    if isinstance(data.get("brand"), str) and version_named(data["brand"]) is None:
        data["brand"] = beside.brand(data["brand"], document)
    campaign = parse_campaign(beside.with_whole_paths(data), document)
    return CampaignFile(
        campaign, document, (*text_warnings(document, campaign), *overruled(data, campaign))
    )


@dataclass(frozen=True)
class _Folder:
    """The folder of a campaign file on this machine."""

    folder: Path

    def table(self, name: str, options: Mapping[str, str]) -> CsvTable:
        if uploaded_digest(name) is not None:
            raise ValueError(
                "a table that was uploaded is named in campaigns that are sent to the API as text"
                " or JSON: name the CSV file itself, which is read here."
            )
        return read_table(self.folder / name, **options)

    def model(self, named: str) -> str:
        if named == "seedling":
            return named
        path = self._path(named)
        return str(path) if os.path.isdir(path) else named  # noqa: PTH112  # no to impossible names

    def brand(self, named: str, document: Document) -> object:
        path = self._path(named)
        if not os.path.isfile(path):  # noqa: PTH113  # says no to impossible names
            raise _no_brand(f"there is no file {path}", document)
        return load_pack(path).document

    def with_whole_paths(self, data: dict[str, Any]) -> dict[str, Any]:
        whole = with_references(data, lambda written: whole_address(written, self.folder))
        whole = with_folders(whole, lambda written: adapter_address(written, self.folder))
        return with_adapters(whole, lambda written: adapter_address(written, self.folder))

    def _path(self, named: str) -> Path:
        # leaves what is not a home as it is
        return self.folder / os.path.expanduser(named)  # noqa: PTH111


@dataclass(frozen=True)
class _Sent:
    """What came with a text over the network."""

    tables: Mapping[str, str]
    uploaded: UploadedTable | None = None

    def table(self, name: str, options: Mapping[str, str]) -> CsvTable:
        if self.uploaded is not None and (digest := uploaded_digest(name)) is not None:
            text = self.uploaded(digest, options.get("encoding"))
            return table_of(text, name, delimiter=options.get("delimiter"))
        if name not in self.tables:
            raise ValueError(f"the file {name} did not come with the text: add it.")
        return table_of(self.tables[name], name, delimiter=options.get("delimiter"))

    def model(self, named: str) -> str:
        return named

    def brand(self, named: str, document: Document) -> object:
        raise _no_brand(f"{named} is no version of a brand", document)

    def with_whole_paths(self, data: dict[str, Any]) -> dict[str, Any]:
        return data


def _no_brand(why: str, document: Document) -> DocumentError:
    said = f"{why}: write the file of a pack, or a version that the farm has, like acme@3."
    return DocumentError([Problem(("brand",), said)], document)


def _with_csv(raw: Any, beside: Beside, axis: str, document: Document) -> Any:
    """An axis with the rows of the CSV file that it names, if it names one; the document learns
    their lines.
    """
    if not (isinstance(raw, dict) and set(raw) == {"csv"}):
        return raw
    place = ("vary", axis, "csv")
    try:
        name, options = _named_table(raw["csv"])
        table = beside.table(name, options)
    except ValueError as exc:
        raise DocumentError([Problem(place, str(exc))], document) from exc
    document.tables[("vary", axis)] = Table(name, table.lines)
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
        elif name in _WHOLE_NUMBERS and _WHOLE.fullmatch(text):
            typed[name] = int(text)
        elif name in _FRACTIONS and _NUMBER.fullmatch(text):
            typed[name] = float(text)
    return typed
