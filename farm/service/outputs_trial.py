"""Tries whether the outputs can be used: does with a small file all that a farm does with
pictures.
"""

import secrets
from collections.abc import Callable

from storage.errors import NotFound, OutputsForbidden, SeedbedError
from storage.store import Outputs

MOST_SKEW_S = 60.0  # S3 refuses requests that are 15 minutes off
_PROBE = b"fine"


def try_outputs(store: Outputs) -> str:
    """A sentence if all is fine. Raises SeedbedError with what of it is forbidden or wrong."""
    key = f".doctor/{secrets.token_hex(8)}"
    deeds: tuple[Callable[[], None], ...] = (
        lambda: store.put(key, _PROBE),
        lambda: _read_back(store, key),
        lambda: _find(store, key),
        lambda: store.copy(key, f"{key}-copy"),
        lambda: store.delete(f"{key}-copy"),
        lambda: store.delete(key),
    )
    forbidden = []
    for deed in deeds:
        try:
            deed()
        except OutputsForbidden as exc:
            forbidden.append(str(exc))
        except NotFound:
            if not forbidden:  # what could not be written is not there
                raise
    if forbidden:
        raise SeedbedError(" ".join(dict.fromkeys(forbidden)))
    if (skew := store.clock_skew_s()) > MOST_SKEW_S:
        raise SeedbedError(
            f"The clock of this machine is {skew:.0f} s from that of {store.address}: set it, or"
            " requests will be refused."
        )
    return f"{store.address} can be written, read, listed, copied and cleared"


def _read_back(store: Outputs, key: str) -> None:
    with store.open(key) as file:
        if file.read() != _PROBE:
            raise SeedbedError(
                f"{store.address} gives back other bytes than were written to it: do not keep"
                " pictures there."
            )


def _find(store: Outputs, key: str) -> None:
    if key not in store.keys(".doctor"):
        raise NotFound(
            f"{store.address} does not list what was just written to it: do not keep pictures"
            " there."
        )
