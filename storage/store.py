"""Where pictures go: what every store of whole files does, whether it is a folder or a bucket."""

from collections.abc import Iterator
from typing import IO, Protocol

from storage.errors import RequestError

SCHEME = "s3://"
PIECE = 256 * 1024  # what boto3 reads at a time, too: more does not stay in a processor's cache


class Outputs(Protocol):
    """A store of whole files under keys like `project/campaign/final/shot/seed.png`.

    A key can be read only once all its bytes are there. Writing the same bytes again is harmless,
    and so is deleting what is not there. A key that no file can have raises BadKey, one that has
    no file NotFound. A failed write or read raises OutputsError, with a sentence that says which
    key and why; it reaches clients, so it has no path of this machine.
    """

    address: str

    def put(self, key: str, data: bytes | IO[bytes]) -> None: ...

    def copy(self, source: str, key: str) -> None:
        """Put the bytes of another key; a server does it by itself. Raises NotFound if there is
        no such key.
        """
        ...

    def open(self, key: str) -> IO[bytes]: ...

    def read(self, key: str, limit: int) -> bytes:
        """The bytes of a file that may be a stranger's. Raises RequestError, before reading them,
        if there are more than `limit`.
        """
        ...

    def part(self, key: str, start: int, stop: int) -> bytes:
        """The bytes of a file from `start` up to but not including `stop`, fewer if it ends before
        them.
        """
        ...

    def pieces(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        """The same in small pieces, as they come: they are written on without being put together,
        which takes half of the processor's time.
        """
        ...

    def has(self, key: str) -> bool:
        """Whether there is a file under a key."""
        ...

    def size(self, key: str) -> int:
        """How many bytes the file under a key has. Raises NotFound."""
        ...

    def address_of(self, key: str, seconds: int) -> str | None:
        """An address at which anybody can read a file for some seconds; None if the store hands
        out none.
        """
        ...

    def delete(self, key: str) -> None: ...

    def keys(self, prefix: str) -> Iterator[str]: ...

    def sweep(self, older_than_s: float) -> int:
        """Remove files that killed writers left half-written more than `older_than_s` seconds ago;
        returns how many there were.
        """
        ...

    def clock_skew_s(self) -> float:
        """How far the store's clock is from this machine's."""
        ...


def bucket_of(address: str) -> str | None:
    """The bucket of outputs at an address like s3://bucket/prefix; None if they are in a
    folder.
    """
    if not address.startswith(SCHEME):
        return None
    return address.removeprefix(SCHEME).partition("/")[0]


def refuse_larger(size: int, limit: int) -> None:
    if size > limit:
        raise RequestError(f"the file has {size:,} bytes; at most {limit:,} are read.")


def is_text(key: str) -> bool:
    """Whether a key can be written as bytes, and ends where it seems to end."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in key
