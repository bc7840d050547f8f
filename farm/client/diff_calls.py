"""The part of the client that is about differences between versions and campaigns."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from farm.client.transport import Transport
from farm.results.versions import only_present, split_version

Json = dict[str, Any]


class DiffCalls:
    """Calls about differences, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def diff(
        self, name: str, against: str | None = None, *, limit: int | None = None
    ) -> Iterator[Json]:
        """What changed in a campaign, or a version of it, since `against`; if that is None, since
        the version before: a mapping for each render that is `changed`, `new` or `retired` (its
        `kind`), at most `limit` of them, and a last one that counts them all.
        """
        name, params = self._compared(name, against)
        return self._http.lines(
            f"{_path(name)}/diff", params | ({} if limit is None else {"limit": str(limit)})
        )

    def diff_sheet(
        self, name: str, against: str | None = None, *, limit: int | None = None
    ) -> bytes:
        """The changed cells as PNG, at most `limit` of them, the old ones on the left."""
        name, params = self._compared(name, against)
        return self._http.request(
            "GET",
            f"{_path(name)}/diff/sheet",
            params=params | ({} if limit is None else {"limit": str(limit)}),
        ).content

    def _compared(self, name: str, against: str | None) -> tuple[str, dict[str, str]]:
        name, number = split_version(name)
        params = {"project": self.project}
        params |= {} if number is None else {"version": str(number)}
        return name, params | ({} if against is None else {"against": against})


def _path(name: str) -> str:
    return f"campaigns/{quote(only_present(name), safe='')}"
