"""Who makes the present change. The API's guard sets it for each request; `storage.events` writes
it down beside the change. It is None for whatever the farm does by itself.
"""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Author:
    """Whoever makes a request: by name, by token, and the network address it came from."""

    name: str
    token_id: str | None = None
    address: str | None = None


author: ContextVar[Author | None] = ContextVar("author", default=None)
