"""The part of the client that is about contact sheets."""

from collections.abc import Iterator, Sequence
from typing import IO
from urllib.parse import quote

from farm.client.transport import Transport
from farm.results.versions import split_version

_PAGES = "Farm-Pages"


class SheetCalls:
    """Calls about contact sheets, for a class that has the transport and a project.

    All take conditions like `product=mug`, the `stage` (`proof` or `final`), and `rows` and
    `columns`: names of axes with commas between them, or `seed`.
    """

    _http: Transport
    project: str

    def sheet(
        self,
        name: str,
        *,
        where: Sequence[str] = (),
        stage: str = "final",
        rows: str = "",
        columns: str = "",
        page: int | None = None,
    ) -> bytes:
        """The contact sheet as PNG, or one page of it, from 1. Raises RequestError if it has
        several and none is named.
        """
        asked = {} if page is None else {"page": str(page)}
        path, params = self._asked(name, where, stage, rows, columns)
        return self._http.request("GET", path, params=params | asked).content

    def sheet_pages(
        self,
        name: str,
        *,
        where: Sequence[str] = (),
        stage: str = "final",
        rows: str = "",
        columns: str = "",
        pages: tuple[int, int] | None = None,
    ) -> Iterator[tuple[int, int, bytes]]:
        """Each page as PNG, or those from one to another: its number, how many pages the sheet
        has, and the picture. One at a time is in memory.
        """
        path, params = self._asked(name, where, stage, rows, columns)
        number, last = pages or (1, None)
        while last is None or number <= last:
            response = self._http.request("GET", path, params=params | {"page": str(number)})
            count = int(response.headers.get(_PAGES, "1"))
            yield number, count, response.content
            last = count if last is None else last
            number += 1

    def sheet_pdf(
        self,
        name: str,
        file: IO[bytes],
        *,
        where: Sequence[str] = (),
        stage: str = "final",
        rows: str = "",
        columns: str = "",
        pages: tuple[int, int] | None = None,
    ) -> None:
        """Write the pages, or those from one to another, to a file as one PDF."""
        path, params = self._asked(name, where, stage, rows, columns)
        asked = {} if pages is None else {"page": f"{pages[0]}-{pages[1]}"}
        self._http.download(path, params | asked | {"format": "pdf"}, file)

    def _asked(
        self, name: str, where: Sequence[str], stage: str, rows: str, columns: str
    ) -> tuple[str, dict[str, str]]:
        name, version = split_version(name)
        given = {
            "version": "" if version is None else str(version),
            "where": "\n".join(where),
            "rows": rows,
            "columns": columns,
        }
        params = {"project": self.project, "stage": stage}
        path = f"campaigns/{quote(name, safe='', errors='surrogatepass')}/sheet"
        return path, params | {key: value for key, value in given.items() if value}
