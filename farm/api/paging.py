"""Lists a page at a time: where the next page begins is a text that clients send back as it is."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Query, Request, Response

from farm.documents.document import DocumentError, Problem
from farm.service.lists import Page

Cursor = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="Where the page begins: the `cursor` of the address in the header `Link` of"
        ' the page before, which names the next page with rel="next".',
    ),
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="The most entries of a page.")]
_PLACE = re.compile(r"([a-z])(-1|\d{1,18})")


def place_of(cursor: str | None, kind: str) -> int | None:
    """The place that a cursor of a kind of list stands for."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = _PLACE.fullmatch(text)
    if found is None or found[1] != kind:
        problem = "it is not of this list: take it from the header Link of the page before."
        raise DocumentError([Problem(("cursor",), problem)])
    return int(found[2])


def name_next(page: Page, kind: str, request: Request, response: Response) -> None:
    """Say in an answer where the next page is, if there is one."""
    if page.next is not None:
        cursor = urlsafe_b64encode(f"{kind}{page.next}".encode()).decode().rstrip("=")
        url = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
