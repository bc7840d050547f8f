"""A folder for the files of a Ray cluster that the farm starts. Ray puts sockets into it, and the
path of a socket has at most 107 bytes.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.errors import WorkError

_SOCKET_BYTES = 107
# What Ray adds, with the longest number that Linux gives a process.
_BELOW = "/farm-ray-abcdefgh/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
LONGEST = _SOCKET_BYTES - len(_BELOW)


@contextmanager
def ray_folder(home: Path) -> Iterator[str]:
    """A new folder, which is removed after the block, in the first place that can be written and
    has a short path: the one for temporary files (TMPDIR), those that every system has, the user's
    own of this session, or the home.

    Raises WorkError if there is none.
    """
    for place in _places(home):
        if len(os.fsencode(place)) > LONGEST:
            continue
        try:
            folder = TemporaryDirectory(prefix="farm-ray-", dir=place, ignore_cleanup_errors=True)
        except OSError:
            continue
        with folder as path:
            yield path
        return
    raise WorkError(
        f"Ray needs a folder that can be written and whose path has at most {LONGEST} bytes,"
        " because of its sockets; there is none: set TMPDIR to one."
    )


def _places(home: Path) -> list[str]:
    usual = [
        "/tmp",  # noqa: S108
        "/var/tmp",  # noqa: S108
        "/dev/shm",  # noqa: S108
        f"/run/user/{os.getuid()}",
        str(home),
    ]  # a folder of random name is made there
    try:
        return [tempfile.gettempdir(), *usual]
    except OSError:  # no folder for temporary files can be written
        return usual
