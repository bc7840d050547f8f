"""How campaigns say where a file is: paths, `~`, `file://`, buckets, uploads; and what cannot be
an address, said in a sentence.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import RequestError

NAME = r"[a-z0-9][a-z0-9._-]{0,79}"
"""How a registered model or adapter is called."""
_NAMED = re.compile(rf"(?P<name>{NAME})(@(?P<digest>[0-9a-f]{{8,64}}))?")

_SCHEMES = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+)(://|(?<=data):)"
)  # of more than a letter, which could be a drive
_UPLOADED = re.compile(r"file:([0-9a-f]{64})(/[^/]{1,200})?")
_PATTERN = re.compile(r"[*?\[]")


def whole_address(written: str, folder: Path) -> str:
    """An address as it means the same from everywhere on this machine: `~` and `file://` written
    out, paths absolute.

    Text that is not the address of a file is left for `path_of` to refuse.
    """
    if uploaded_digest(written) is not None:
        return written
    scheme = _scheme(written)
    if scheme == "file":
        return _path_in(written) or written
    if scheme is not None:
        return written
    # `~NAME` is the name of a file if there is no such user
    return os.path.normpath(folder / os.path.expanduser(written))  # noqa: PTH111


def uploaded_address(digest: str, name: str = "") -> str:
    """How campaigns name a file that was uploaded: by the SHA-256 of its bytes. A name behind that
    is for people alone.
    """
    return f"file:{digest}/{name}" if name else f"file:{digest}"


def uploaded_digest(address: str) -> str | None:
    """The SHA-256 in the address of an uploaded file; None for any other address."""
    found = _UPLOADED.fullmatch(address)
    return found[1] if found else None


def path_of(address: str) -> Path:
    """The path of a file on this machine. Raises RequestError for an address of another kind, or
    one that is not whole.
    """
    scheme = _scheme(address)
    if uploaded_digest(address) is not None:
        raise RequestError(
            "only references and tables are uploaded: copy it to the farm's machine, and name the"
            " file."
        )
    if scheme == "file" and (local := _path_in(address)):
        return Path(local)
    if scheme in ("http", "https", "ftp"):
        raise RequestError(
            "it is an address on the web, and there is no such file here: download it, and name"
            " the file."
        )
    if scheme == "data":
        raise RequestError(
            "a picture cannot stand in the campaign itself: save it, and name the file."
        )
    if scheme == "s3":
        raise RequestError(
            "only references come from buckets, by s3:// in small letters: copy it to the farm's"
            " machine, and name the file."
        )
    if scheme is not None:
        raise RequestError(
            f"addresses like {scheme}:// are not read: copy it to the farm's machine, and name the"
            " file."
        )
    if address.startswith("~"):
        raise RequestError("the farm does not know whose home `~` is: write the path out.")
    path = Path(address)
    if not path.is_absolute():
        raise RequestError(
            "the path is not absolute: what does not come with a campaign file has no folder that"
            " it could be relative to."
        )
    return path


def registered_name(written: str) -> tuple[str, str | None] | None:
    """The name, and the beginning of a digest if there is one, by which a campaign may name what
    is registered; None for text that cannot be such a name.
    """
    named = _NAMED.fullmatch(written)
    return (named["name"], named["digest"]) if named else None


def names_adapter(address: str) -> bool:
    """Whether an adapter's address is the name of a registered one, not that of a file."""
    return registered_name(address) is not None and not address.endswith(".safetensors")


def adapter_address(written: str, folder: Path) -> str:
    """An adapter's address as `whole_address` has it. What could be a registered name is a path
    only if there is such a file or folder.
    """
    is_there = os.path.lexists(folder / written)  # says no to impossible names
    return written if names_adapter(written) and not is_there else whole_address(written, folder)


def has_scheme(address: str) -> bool:
    """Whether an address is one like https://…, not a path."""
    return _scheme(address) is not None


def hint(address: str) -> str:
    """What may be wrong with the address of a file that is not there, to be put behind the
    sentence that says so.
    """
    return " Patterns are not expanded: name each file." if _PATTERN.search(address) else ""


def _scheme(address: str) -> str | None:
    found = _SCHEMES.match(address)
    return found["scheme"].lower() if found else None


def _path_in(address: str) -> str | None:
    """The path in a file:// address, or None if it is one on another machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (
        unquote(parts.path)
        if parts.netloc in ("", "localhost") and parts.path.startswith("/")
        else None
    )
