"""The keys under which the outputs keep what the farm writes: this file alone knows their layout.
Pure.
"""

import re
from collections.abc import Iterable

from storage.states import Stage

_MANIFESTS = {Stage.FINAL: "manifest.jsonl", Stage.PROOF: "proofs.jsonl"}
_PROOFS = "+proofs"  # no name of a campaign has a plus sign
_UPLOADS = "+files"
_ATLAS = r"[0-9]{1,2}x[0-9]{1,2}-[0-9a-f]{12}"
_BEFORE_PLACE = re.compile(r"[^/]+/[^/]+/(v[0-9]+/)?")


def campaign_folder(project: str, name: str) -> str:
    """The folder that holds everything of a campaign, its versions included."""
    return f"{project}/{name}"


def project_of(key: str) -> str:
    """The project whose files a key is among: its first part. A key that is written in another way
    than the farm writes keys may lead elsewhere: the whole of it is returned, which names none.
    """
    parts = key.split("/")
    is_plain = all(
        part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts
    )
    return parts[0] if is_plain else key


def proofs_name(name: str) -> str:
    """The name under which the job database has the proofs of a campaign."""
    return f"{name}{_PROOFS}"


def campaign_name(name: str) -> str:
    """The campaign's own name, from that name or the one of its proofs."""
    return name.removesuffix(_PROOFS)


def picture_key(
    project: str,
    name: str,
    *,
    version: int,
    stage: Stage,
    shot: str,
    seed: int,
    kind: str,
    redo: int = 0,
) -> str:
    """The key of a render's picture: a path that a person can read.

    `kind` is the ending of the format. Each version after the first has a folder of its own, so
    that pictures of earlier ones are kept; the `redo`th picture of a cell has a name of its own.
    """
    folder = f"v{version}/" if version > 1 else ""
    again = f"-r{redo}" if redo else ""
    return f"{campaign_folder(project, name)}/{folder}{stage}/{shot}/{seed}{again}.{kind}"


def preview_key(picture: str, step: int) -> str:
    """The key of the preview of a step: beside its picture."""
    return f"{picture.rpartition('.')[0]}.step{step:03d}.webp"


def atlas_key(project: str, name: str, atlas: str) -> str:
    """The key of an atlas: thumbnails of a campaign's pictures in one file, whose name says its
    columns and rows and has the first digits of its digest. Raises ValueError for any other name.
    """
    if re.fullmatch(_ATLAS, atlas) is None:
        raise ValueError(f"{atlas!r} is no name of an atlas.")
    return f"{campaign_folder(project, name)}/atlases/{atlas}.webp"


def manifest_key(project: str, name: str, stage: Stage = Stage.FINAL) -> str:
    return f"{campaign_folder(project, name)}/{_MANIFESTS[stage]}"


def reference_key(project: str, digest: str) -> str:
    """The key of a picture that others begin from, under the digest of its content."""
    return f"{project}/references/{digest}"


def weights_key(digest: str) -> str:
    """The key of a file of a registered model or adapter, under the sha256 of its content: all
    projects share it. No project's name begins like that.
    """
    return f"_weights/{digest[:2]}/{digest}"


def upload_key(project: str, digest: str, number: int) -> str:
    """The key of an uploaded file: one of its own for each upload, so that removing an earlier one
    of the same content never removes this.
    """
    return f"{project}/{_UPLOADS}/{digest}-{number}"


def place_of(key: str) -> str:
    """The key of a campaign's file without project, campaign and version."""
    return _BEFORE_PLACE.sub("", key, count=1)


def is_painted(place: str, kinds: Iterable[str]) -> bool:
    """Whether a file, named from its campaign's folder, has a name that only the farm gives: a
    picture of one of `kinds`, a preview, or an atlas.
    """
    # A shot's folder ends with sixteen digits of a hash; beside the picture of a seed lie its
    # previews.
    stage = f"({'|'.join(Stage)})"
    ending = rf"(\.({'|'.join(kinds)})|\.step[0-9]{{3,4}}\.webp)"
    shape = rf"(v[0-9]+/)?{stage}/[^/]*_[0-9a-f]{{16}}/[0-9]+(-r[0-9]+)?{ending}"
    return re.fullmatch(shape, place) is not None or is_atlas(place)


def is_atlas(place: str) -> bool:
    """Whether a file, named from its campaign's folder, is an atlas."""
    return re.fullmatch(rf"atlases/{_ATLAS}\.webp", place) is not None


def is_preview(place: str, stage: Stage) -> bool:
    """Whether a file, named from its campaign's folder, is a preview of that stage."""
    return (
        is_painted(place, ())
        and re.match(rf"(v[0-9]+/)?{stage}/", place) is not None
        and re.search(r"\.step[0-9]{3,4}\.webp$", place) is not None
    )


def is_ours(place: str, kinds: Iterable[str]) -> bool:
    """Whether a file, named from its campaign's folder, was written by the farm, and not by
    people.
    """
    return place in _MANIFESTS.values() or is_painted(place, kinds)


def pictures_of(key: str, kinds: Iterable[str]) -> list[str]:
    """The keys that a picture may have which this file belongs to: it is that picture, or a
    preview beside it.
    """
    return [f"{without_ending(key)}.{kind}" for kind in kinds]


def without_ending(key: str) -> str:
    """The part of a key that a picture shares with its previews."""
    folder, _, file = key.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}"
