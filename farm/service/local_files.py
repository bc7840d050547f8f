"""Which files of the farm's own machine a submission may name: any, if whoever submits is on that
machine and shows no token that was made for somebody, or those of some folders.
"""

import os
from collections.abc import Collection
from pathlib import Path

from storage.author import author
from storage.errors import RequestError

NOT_TAKEN = (
    "this farm takes files of its own machine only from folders that its operator names"
    " (FARM_ALLOWED_PATHS): use an s3:// address, or, for a model, `seedling`, one that `farm"
    " models list` shows, or a hub id as owner/name@revision."
)


class LocalFiles:
    """The files that may be named. What may not is refused in one sentence, whether it is there or
    not: it is not even looked at.
    """

    def __init__(self, folders: Collection[Path] | None = None) -> None:
        """`folders` are those whose files may be named; None allows all."""
        self._folders = folders

    @property
    def are_limited(self) -> bool:
        return self._allowed is not None

    @property
    def _allowed(self) -> Collection[Path] | None:
        """The folders for whoever asks now. A token is a person's of some project: that the farm
        is on loopback says nothing about them.
        """
        by = author.get()
        has_token = by is not None and by.token_id is not None
        return () if self._folders is None and has_token else self._folders

    def check(self, path: str | Path) -> None:
        """Raise RequestError for a path that may not be named, or that leads out of the folders
        through a link.
        """
        if (allowed := self._allowed) is None:
            return
        plain = os.path.normpath(path)
        for folder in allowed:
            if (
                Path(path).is_absolute()
                and Path(plain).is_relative_to(folder)
                and _leads_into(plain, folder)
            ):
                return
        raise RequestError(NOT_TAKEN)


def _leads_into(path: str, folder: Path) -> bool:
    """Whether a path below a folder is there once all links are followed, too."""
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except (
        OSError,
        ValueError,
        RuntimeError,
    ):  # no name that a file can have, or links in a circle
        return False
