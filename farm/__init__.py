"""The floor that decides: campaign files, policy, the dispatcher, the API and the commands.

For programs: `from farm import Client`, and the errors that its calls raise.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farm.client.client import Client
    from farm.documents.document import DocumentError
    from storage.errors import (
        AlreadyThere,
        Conflict,
        NotAllowed,
        NotFound,
        RequestError,
        SeedbedError,
        TooManyRequests,
        Unauthenticated,
        Unreachable,
        WorkError,
    )

__all__ = [
    "AlreadyThere",
    "Client",
    "Conflict",
    "DocumentError",
    "NotAllowed",
    "NotFound",
    "RequestError",
    "SeedbedError",
    "TooManyRequests",
    "Unauthenticated",
    "Unreachable",
    "WorkError",
]

_ELSEWHERE = {"Client": "farm.client.client", "DocumentError": "farm.documents.document"}


def __getattr__(name: str) -> Any:
    """A name that programs import from here, loaded when it is first asked for: whoever needs
    another part of the farm does not wait for it.
    """
    if name in __all__:
        return getattr(import_module(_ELSEWHERE.get(name, "storage.errors")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
