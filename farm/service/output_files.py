"""Files of the outputs, as they are handed out."""

import hashlib
import time
from dataclasses import dataclass
from typing import IO, Any

from storage.errors import Conflict, NotFound
from storage.store import Outputs


@dataclass(frozen=True)
class OutputFile:
    """An open file of the outputs, at its beginning."""

    file: IO[bytes]
    size: int
    sha256: str


class OutputFiles:
    """Reads files of one store."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def file(self, key: str) -> OutputFile:
        """A file with its size and a digest of its bytes. Raises NotFound if there is none."""
        file = self._outputs.open(key)
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            return OutputFile(file, file.seek(0, 2), digest)
        except BaseException:
            file.close()
            raise

    def address(self, key: str, seconds: int) -> dict[str, Any]:
        """An address at which a file can be read for some seconds, without a token. Raises
        Conflict if the outputs hand out none.
        """
        found = self._outputs.address_of(key, seconds)
        if found is None:
            raise Conflict(
                "The outputs are a folder, which has no addresses: read the file from"
                f" /api/v1/outputs/{key}.",
                code="no-addresses",
            )
        if not self._outputs.has(key):
            raise NotFound(f"There is no {key} in the outputs.")
        return {"url": found, "expires_at": time.time() + seconds}
