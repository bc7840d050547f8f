"""Exports: a campaign's pictures in another folder or bucket, with a manifest, a table, a page and
the contact sheet beside them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO

from actors.pictures import files as encode
from actors.recipes.encoding import Format
from farm.client.client import Client
from farm.client.copying import AT_ONCE, copy_all, thumbnail_of
from farm.client.gallery import INDEX, write_pages
from farm.client.naming import Naming, collision
from farm.results.delivery import AS_PAINTED, Delivery
from farm.results.line import ExportedLine, Line
from farm.results.manifest_csv import write_csv
from farm.results.where import read_conditions, resolve
from farm.service.views import CampaignStatus
from storage.errors import NotFound, OutputsForbidden, RequestError, WorkError
from storage.keys import place_of
from storage.store import Outputs

WriteTable = Callable[[Iterable[ExportedLine], IO[bytes]], None]
MANIFEST, PARQUET, CSV, SHEET = "manifest.jsonl", "manifest.parquet", "manifest.csv", "sheet.png"
SUMMARY = "summary.json"
_OWN = (MANIFEST, PARQUET, CSV, SHEET, SUMMARY, INDEX)
_OF_AN_EXPORT = re.compile(r"index-[0-9]+\.html|.*\.(step[0-9]{3,4}|small)\.webp", re.DOTALL)
_NAMED = 5
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The pictures at the destination, and how many of them are new there."""

    pictures: int
    copied: int
    manifest: str
    parquet: str | None
    csv: str
    index: str
    sheet: str | None
    no_sheet: str | None
    """Why there is no contact sheet."""
    others: int
    """Files that were there and are not part of this export."""
    first_others: Sequence[str]
    deleted: int
    """How many of them were removed."""


def export(
    client: Client,
    campaign: str,
    destination: Outputs,
    *,
    parquet: bool = False,
    previews: bool = True,
    where: Sequence[str] = (),
    names: str | None = None,
    delivery: Delivery = AS_PAINTED,
    delete: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Copy the renders of a campaign that are done. Files that are there already, and whole, are
    not copied again, so that an export that broke off goes on.

    `where` has conditions like `product=mug`, `names` a template for names, and `delivery` says
    how each picture is written besides. With `delete`, what else lies at the destination is
    removed. Raises RequestError, before anything is copied, for what cannot be, and WorkError
    if pictures are gone or were changed: all others are copied then, and no manifest is written,
    for a manifest says that all of its pictures are there.
    """
    write_parquet, beside = _parquet_writer() if parquet else None, _Beside(previews, delivery)
    with TemporaryFile() as manifest:
        total = _choose(client.manifest(campaign), manifest, where, names, beside)
        if delete:
            _refuse_strangers(destination, manifest)
        _drop_older_manifest(destination, manifest)
        copied, wrong = copy_all(
            client, _lines(manifest), destination, delivery, lambda done: on_progress(done, total)
        )
        if wrong:
            raise _left_out(campaign, wrong, total, destination)
        no_sheet = _write_sheet(client, campaign, where, destination)
        written = [
            *([] if no_sheet else [SHEET]),
            *_write_tables(manifest, write_parquet, destination),
            _write_summary(client, campaign, destination),
        ]
        pages = _write_pages(client.status(campaign), manifest, written, destination)
        others = sorted(_others(destination, manifest, [*written, *pages, MANIFEST]))
        manifest.seek(0)
        destination.put(MANIFEST, manifest)
    if delete:
        _delete(destination, others)
    at = destination.address + "/"
    return Exported(
        pictures=total,
        copied=copied,
        manifest=at + MANIFEST,
        parquet=at + PARQUET if parquet else None,
        csv=at + CSV,
        index=at + INDEX,
        sheet=None if no_sheet else at + SHEET,
        no_sheet=no_sheet,
        others=len(others),
        first_others=others[:_NAMED],
        deleted=len(others) if delete else 0,
    )


def _delete(destination: Outputs, keys: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export") as pool:
        list(pool.map(destination.delete, keys))


def _left_out(campaign: str, wrong: Sequence[str], total: int, destination: Outputs) -> WorkError:
    return WorkError(
        f"{len(wrong)} of {total} pictures were left out, and no manifest was written to"
        f" {destination.address}: {' '.join(wrong[:_NAMED])} `farm verify {campaign} --repair`"
        " paints again what is damaged or missing."
    )


def _parquet_writer() -> WriteTable:
    try:
        # An extra: 150 MB installed, that only who asks for a table needs.
        from farm.client.parquet import write_parquet  # noqa: PLC0415
    except ImportError as exc:
        raise RequestError(
            "A Parquet manifest needs pyarrow: pip install 'seedbed[parquet]'."
        ) from exc
    return write_parquet


# --- what is exported, and where it goes ---


def _choose(
    lines: Iterable[Line],
    manifest: IO[bytes],
    where: Sequence[str],
    names: str | None,
    beside: "_Beside",
) -> int:
    """Write the manifest of an export to a file of its own, before anything is copied, since that
    may take hours; returns how many of its renders have a picture.
    """
    asked, naming = read_conditions(where), None if names is None else Naming(names)
    total = 0
    with TemporaryFile() as everything:
        for line in lines:
            _write_line(everything, line)
        chosen = resolve(asked, _lines(everything))
        if naming is not None:
            naming.check_fields(_lines(everything))
        for line in _lines(everything):
            if chosen.chooses(line):
                _write_line(manifest, beside.exported(line, _path(line, naming)))
                total += bool(line["key"])
    if naming is not None and (
        clash := collision(((line["number"], _files(line)) for line in _lines(manifest)), _OWN)
    ):
        raise RequestError(clash)
    return total


def _path(line: Line, naming: Naming | None) -> str | None:
    """The path of a render's picture, relative to the manifest; None if it has none."""
    if not line["key"]:
        return None
    if naming is None:
        return place_of(line["key"])
    return naming.path(line, line["key"].rpartition(".")[2])


@dataclass(frozen=True)
class _Beside:
    """What is written beside each picture."""

    previews: bool
    delivery: Delivery

    def exported(self, line: Line, path: str | None) -> ExportedLine:
        """A line with the paths of its files, relative to the manifest."""
        stem, _, ending = (path or "").rpartition(".")
        if self.delivery.profile is not None and ending == Format.JXL:
            raise RequestError(
                "Pictures in JPEG XL are delivered without a profile: leave --profile out, or"
                " paint the campaign with `output: {format: png}`."
            )
        looks = [key.rpartition("/")[2].partition(".")[2] for key in line["previews"]]
        return {
            **line,
            "path": path,
            "preview_paths": [f"{stem}.{look}" for look in looks if self.previews and path],
            "size_paths": [f"{stem}.{w}x{h}.{ending}" for w, h in self.delivery.sizes if path],
        }


def _files(line: ExportedLine) -> list[str]:
    """All that is written of a render."""
    if not line["path"]:
        return []
    small = thumbnail_of(line["path"])
    return [line["path"], *line["preview_paths"], *line["size_paths"], *([small] if small else [])]


def _write_line(file: IO[bytes], line: Line | ExportedLine) -> None:
    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _lines(file: IO[bytes]) -> Iterator[ExportedLine]:
    file.seek(0)
    return map(json.loads, file)


# --- what lies at the destination ---


def _drop_older_manifest(destination: Outputs, manifest: IO[bytes]) -> None:
    """Remove a manifest of other pictures: once the first of them is replaced, it would not be
    true any more.
    """
    manifest.seek(0)
    with suppress(
        NotFound, OutputsForbidden
    ):  # whoever may only write leaves it there until the new one takes its place
        with destination.open(MANIFEST) as file:
            is_same = _sha256(file) == _sha256(manifest)
        if not is_same:
            destination.delete(MANIFEST)


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _others(destination: Outputs, manifest: IO[bytes], written: Iterable[str]) -> Iterator[str]:
    """The files at the destination that are not part of the export; hidden ones are nobody's
    concern.
    """
    own = {*written, *(path for line in _lines(manifest) for path in _files(line))}
    return (
        key
        for key in destination.keys("")
        if key not in own and not any(part.startswith(".") for part in key.split("/"))
    )


def _refuse_strangers(destination: Outputs, manifest: IO[bytes]) -> None:
    """Raise RequestError for a folder with files of somebody else, unless an export has been
    written there before.
    """
    with suppress(NotFound), destination.open(MANIFEST):
        return
    for key in _others(destination, manifest, _OWN):
        if not _OF_AN_EXPORT.fullmatch(key) and not _has_record(destination, key):
            raise RequestError(
                f"{destination.address} has files that no export has written, such as {key}, and"
                " --delete would remove them: choose another folder, or export there without"
                " --delete first."
            )


def _has_record(destination: Outputs, key: str) -> bool:
    """Whether a file is a picture that the farm painted."""
    try:
        picture = encode.read(destination.read(key, encode.MAX_FILE))
    except (NotFound, RequestError):
        return False
    return picture is not None and picture.record is not None


# --- what is written beside the pictures ---


def _write_sheet(
    client: Client, campaign: str, where: Sequence[str], destination: Outputs
) -> str | None:
    """Write the contact sheet; returns why there is none."""
    try:
        destination.put(SHEET, client.sheet(campaign, where=where))
    except RequestError as exc:
        return str(exc)
    return None


def _write_tables(
    manifest: IO[bytes], write_parquet: WriteTable | None, destination: Outputs
) -> Iterator[str]:
    with TemporaryFile() as table:
        write_csv(lambda: _lines(manifest), table)
        table.seek(0)
        destination.put(CSV, table)
        yield CSV
    if write_parquet is not None:
        with TemporaryFile() as table:
            write_parquet(_lines(manifest), table)
            table.seek(0)
            destination.put(PARQUET, table)
            yield PARQUET


def _write_summary(client: Client, campaign: str, destination: Outputs) -> str:
    """Write how the campaign stands and what it has cost, its versions together; returns the name
    of the file.
    """
    status = client.status(campaign)
    told = {"status": status.as_json(), "costs": client.costs(status.campaign).as_json()}
    destination.put(SUMMARY, BytesIO(json.dumps(told, indent=2).encode()))
    return SUMMARY


def _write_pages(
    status: CampaignStatus, manifest: IO[bytes], tables: Iterable[str], destination: Outputs
) -> list[str]:
    total = sum(1 for _ in _lines(manifest))
    return write_pages(_lines(manifest), total, status, [*tables, MANIFEST], destination.put)
