"""Views of renders in a list, and of the addresses of files."""

from typing import Any

from farm.service.views import View


class RenderItem(View):
    """A render in a list. `state` is `undecided` if its proof waits for a person. What only a
    picture has is null until there is one; `coordinates` has its value on each axis.
    """

    number: int
    state: str
    reason: str | None
    detail: str | None
    shot: str
    coordinates: dict[str, Any]
    seed: int
    version: int
    review: str | None
    drift: float | None
    rules_failed: list[str]
    key: str | None
    bytes: int | None
    finished_at: float | None


class Address(View):
    """An address at which anybody can read a file until it expires, in seconds since 1970."""

    url: str
    expires_at: float
