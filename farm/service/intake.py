"""Files that a campaign names, at its submission: read, checked and digested; its references are
kept where every worker finds them.
"""

import hashlib
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from actors.models.families import family_of
from actors.models.family import Family
from actors.models.lora_names import Weights
from actors.models.models import Model, find_model, is_hub_name
from actors.models.upscalers import LANCZOS
from actors.pictures.reference import MAX_BYTES, read_reference
from farm.campaign.addresses import hint, uploaded_digest
from farm.campaign.loading import with_uploaded_tables
from farm.campaign.named_files import Named, named_files
from farm.campaign.schema import Campaign
from farm.campaign.sources import (
    EDITS,
    Control,
    Likeness,
    Sources,
    Upscale,
    repeated_adapter_problems,
)
from farm.documents.document import DocumentError, Problem
from farm.service.adapter_intake import AdapterIntake, Taken, checked_path
from farm.service.beside_intake import BesideIntake
from farm.service.edit_fit import edit_misfit
from farm.service.local_files import LocalFiles
from farm.service.registered import RegisteredModels
from storage.errors import NotFound, OutputsAway, OutputsError, RequestError
from storage.keys import reference_key
from storage.outputs import open_outputs
from storage.store import SCHEME, Outputs, bucket_of

Json = dict[str, Any]
T = TypeVar("T")
Answer = TypeVar("Answer")
MAX_REFERENCES = 2_000
_READERS = 4  # a picture of the largest size takes 300 MB while it is looked at


class Uploaded(Protocol):
    """The files that were uploaded."""

    def read(self, project: str, digest: str) -> bytes:
        """The bytes of a file. Raises NotFound."""

    def table(self, project: str, digest: str, encoding: str | None = None) -> str:
        """The text of a table. Raises ValueError, as a sentence."""


class Intake:
    """Takes in the files of campaigns: from paths, from what was uploaded, and from the buckets
    that it may read.
    """

    def __init__(
        self,
        outputs: Outputs,
        *,
        buckets: Collection[str] = (),
        s3_style: str = "auto",
        files: LocalFiles | None = None,
        registered: RegisteredModels | None = None,
        uploads: Uploaded | None = None,
        adapters: AdapterIntake | None = None,
        beside: BesideIntake | None = None,
    ) -> None:
        """`buckets` are those that references may come from, beside the outputs' own; `files`
        those of this machine, all if not given. Without `registered`, no model has a name; without
        `adapters`, no adapter; without `beside`, nothing that stands beside a model; without
        `uploads`, nothing was uploaded.
        """
        self._registered = registered
        self._outputs = outputs
        self._uploads = uploads
        self._files = files or LocalFiles()
        self._adapters = adapters or AdapterIntake(files=self._files)
        self._beside = beside or BesideIntake(files=self._files)
        own = bucket_of(outputs.address)
        self._buckets = {*buckets, *([own] if own else [])}
        self._bucket = lru_cache(maxsize=16)(
            lambda name: open_outputs(f"{SCHEME}{name}", s3_style=s3_style)
        )

    def model(self, name: str) -> Model:
        """The model that a campaign names. Raises DocumentError where it cannot be used, or may
        not be named.
        """
        is_path = not is_hub_name(name) and name != "seedling"
        try:
            if self._registered and (found := self._registered.find(name)) is not None:
                return found
            if is_path:
                self._files.check(name)
            return find_model(name, takes_folders=is_path or not self._files.are_limited)
        except RequestError as exc:
            raise DocumentError([Problem(("model",), str(exc))]) from exc

    def model_of(self, spec: Json) -> Model:
        """The model that a stored campaign is painted with, as it is now. Raises RequestError if
        it cannot be used.
        """
        known = spec["model"]
        found = self._registered.find(known["name"]) if self._registered else None
        return found or find_model(known["name"])

    def with_tables(self, project: str, data: Json) -> Json:
        """A campaign's data with the rows of the uploaded tables that it names. Raises
        DocumentError.
        """
        if self._uploads is None:
            return data
        return with_uploaded_tables(data, partial(self._uploads.table, project))

    def check(self, project: str, campaign: Campaign, model: Model) -> Sources:
        """The digests of all files that a campaign of a project names. Raises DocumentError with
        what is wrong with any, each at its place; nothing is written.
        """
        named = list(named_files(campaign))
        references = {file.address: file for file in reversed(named) if file.kind != "lora"}
        edited = {file.address for file in named if file.kind in EDITS}
        begun = [file for file in named if file.kind in ("reference", "reference_mask")]
        adapters = {file.address: file for file in reversed(named) if file.kind == "lora"}
        if len(references) > MAX_REFERENCES:
            raise DocumentError(
                [
                    Problem(
                        ("vary",),
                        f"{len(references):,} references; at most {MAX_REFERENCES:,} are"
                        " supported: split it.",
                    )
                ]
            )
        if begun and model.image_to_image is None:
            why = f"a {model.pipeline} cannot begin from a reference: use another model."
            raise DocumentError([Problem(begun[0].path, why)])
        problems: list[Problem] = []
        weights = Weights(model.name, Path(model.folder))
        taken = _digests(
            adapters.values(), partial(self._adapters.take, weights=weights), problems
        )
        controls, ip_adapters, upscalers = self._stand_beside(campaign, model, taken, problems)
        parts = taken | controls | ip_adapters | upscalers
        registered = {address: one for address, one in parts.items() if one.manifest is not None}
        sources = Sources(
            references=_digests(
                references.values(),
                partial(self._reference_digest, project, family_of(model.pipeline), edited),
                problems,
            ),
            adapters={address: one.digest for address, one in taken.items()},
            controls={address: one.digest for address, one in controls.items()},
            ip_adapters={address: one.digest for address, one in ip_adapters.items()},
            upscalers={address: one.digest for address, one in upscalers.items()},
            labels={address: str(one.label) for address, one in registered.items()},
            manifests={address: str(one.manifest) for address, one in registered.items()},
        )
        problems = problems or list(
            repeated_adapter_problems(sources, campaign.adapters, campaign.axes)
        )
        if problems:
            raise DocumentError(
                sorted(problems, key=lambda problem: [str(part) for part in problem.path])
            )
        return sources

    def _stand_beside(
        self,
        campaign: Campaign,
        model: Model,
        adapters: Mapping[str, Taken],
        problems: list[Problem],
    ) -> Iterator[dict[str, Taken]]:
        """The ControlNet of a campaign, its IP-Adapter and its upscaler, each by its address;
        their faults go to `problems`.
        """
        looked_at = partial(_looked_at, adapters=adapters, problems=problems)
        control, likeness, upscale = campaign.control, campaign.likeness, campaign.upscale
        kinds = _asked(campaign, "control_kind", control.kind if control else None)
        parts = _asked(campaign, "likeness_of", likeness.of if likeness else None)
        follow = partial(self._beside.control, model=model, kinds=kinds)
        be_like = partial(self._beside.likeness, model=model, parts=parts)
        grow = partial(
            self._beside.upscaler,
            by=_asked(campaign, "upscale_by", upscale.by if upscale else None),
        )
        yield looked_at("control", control, follow)
        yield looked_at("likeness", likeness, be_like)
        by_model = None if upscale is None or upscale.model == LANCZOS else upscale
        yield looked_at("upscale", by_model, grow)

    def keep(self, project: str, sources: Sources) -> None:
        """Copy the references to the outputs, under what is in them: what becomes of the files
        later changes nothing any more.
        """

        def copy(reference: tuple[str, str]) -> None:
            address, digest = reference
            data = self._read(project, address)
            if hashlib.sha256(data).hexdigest() != digest:
                raise RequestError(
                    f"The reference {address} was changed while the campaign was submitted: submit"
                    " it again."
                )
            self._outputs.put(reference_key(project, digest), data)

        list(_at_once(copy, sources.references.items()))

    def _reference_digest(
        self, project: str, family: Family | None, edited: Collection[str], address: str
    ) -> str:
        """The digest of a picture that can be read, and edited if it is to be."""
        data = self._read(project, address)
        height, width, _ = read_reference(data).shape
        is_edited = family is not None and family.edits > 0 and address in edited
        if family and is_edited and (why := edit_misfit(family, width, height)) is not None:
            raise RequestError(why)
        return hashlib.sha256(data).hexdigest()

    def _read(self, project: str, address: str) -> bytes:
        if (digest := uploaded_digest(address)) is not None:
            if self._uploads is None:
                raise RequestError("nothing was uploaded here: name the file by its path.")
            return self._uploads.read(project, digest)
        if not address.startswith(SCHEME):
            return _read_file(checked_path(self._files, address))
        bucket, _, key = address.removeprefix(SCHEME).partition("/")
        if not key:
            raise RequestError("it names a bucket, and no file in it.")
        if bucket not in self._buckets:
            raise RequestError(
                f"references may not come from the bucket {bucket!r}: an operator may add it to"
                " FARM_REFERENCE_BUCKETS."
            )
        if self._is_of_another(project, address):
            raise RequestError("there is no such file in the bucket.")
        try:
            return self._bucket(bucket).read(key, MAX_BYTES)
        except NotFound as exc:
            raise RequestError("there is no such file in the bucket.") from exc
        except OutputsAway:
            raise  # no fault of the campaign's
        except OutputsError as exc:
            raise RequestError(f"it cannot be read: {exc}") from exc

    def _is_of_another(self, project: str, address: str) -> bool:
        """Whether an address is of a file that the outputs have, and not for this project."""
        own = f"{self._outputs.address}/"
        return address.startswith(own) and not address.startswith(f"{own}{project}/")


def _looked_at(
    key: str,
    given: Control | Likeness | Upscale | None,
    look: Callable[[str], Taken],
    *,
    adapters: Mapping[str, Taken],
    problems: list[Problem],
) -> dict[str, Taken]:
    if given is None:
        return {}
    try:
        found = look(given.model)
        # Adapters have a registry of their own, and the workers' job knows names alone.
        if given.model in adapters and adapters[given.model].manifest != found.manifest:
            raise RequestError(
                "the campaign names an adapter so, too: tell them apart by the digest of one, as"
                f" {found.label}."
            )
        return {given.model: found}
    except RequestError as exc:
        problems.append(Problem((key, "model"), f"{given.model}: {exc}"))
        return {}


def _asked(campaign: Campaign, setting: str, own: str | int | None) -> list[Any]:
    """The values of a setting of a part that stands beside the model: the campaign's own for all
    renders, or those of an axis.
    """
    axis = next((axis for axis in campaign.axes if setting in axis.variables), None)
    if axis is None:
        return [own]
    varied = (axis.assignments(k)[setting] for k in range(len(axis.values)))
    return list(dict.fromkeys(value or own for value in varied))


def _at_once(do: Callable[[T], Answer], given: Iterable[T]) -> Iterator[Answer]:
    """Each of `given`, a few at a time, on behalf of whoever asks: other threads do not know."""
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(
            lambda pair: pair[0].run(do, pair[1]), [(copy_context(), one) for one in given]
        )


def _digests(
    files: Collection[Named], digest_of: Callable[[str], Answer], problems: list[Problem]
) -> dict[str, Answer]:
    """The answer for each file, by address; the faults of files go to `problems`."""

    def look(file: Named) -> Answer | Problem:
        try:
            return digest_of(file.address)
        except RequestError as exc:
            return Problem(file.path, f"{file.kind} {file.address}: {exc}")

    found = dict(zip((file.address for file in files), _at_once(look, files), strict=True))
    problems += [answer for answer in found.values() if isinstance(answer, Problem)]
    return {
        address: answer for address, answer in found.items() if not isinstance(answer, Problem)
    }


def _read_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RequestError("it is no file, but a folder: name the picture in it.")
        if not stat.S_ISREG(mode):
            raise RequestError("it is no file.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # of what is longer, enough to be refused for it
    except FileNotFoundError as exc:
        raise RequestError(f"there is no such file.{hint(str(path))}") from exc
    except (OSError, ValueError) as exc:
        raise RequestError(
            f"it cannot be read ({getattr(exc, 'strerror', None) or exc})."
        ) from exc
