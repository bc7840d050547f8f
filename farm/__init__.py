"""The floor that decides: campaign files, policy, the dispatcher, the API and the commands."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farm.client.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    """`Client`, imported when it is first asked for: whoever needs another part of the farm does
    not wait for it.
    """
    if name == "Client":
        from farm.client.client import Client  # noqa: PLC0415  # see above

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
