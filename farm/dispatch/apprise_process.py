"""A process that gives one message to Apprise, for an address that a stranger may have written.

Apprise does as addresses say: it connects anywhere, and reads files that they name as templates
and keys. So it works here, where neither is possible. This process has no secret of the farm's; it
reads no files but Python's own, writes none, starts nothing, and connects to what the farm may
reach. One that hangs is ended by its parent (`farm.dispatch.notifying`).

Its order is a line of JSON on standard input: `address`, `allowed` networks, and a `message` with
`title` and `body`, or none to look at the address alone. Its answer is one on standard output:
`service`, or `error` with `is_final`.
"""

import ipaddress
import json
import logging
import re
import site
import sys
import sysconfig
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from farm.dispatch.reachable import Network, may_reach

SERVICES = frozenset(
    [
        "mailto",
        "mailtos",
        "slack",
        "discord",
        "workflow",
        "workflows",
        "gchat",
        "wxteams",
        "mmost",
        "mmosts",
        "rocket",
        "rockets",
        "matrix",
        "matrixs",
        "zulip",
        "tgram",
        "signal",
        "signals",
        "ntfy",
        "ntfys",
        "gotify",
        "gotifys",
        "pover",
        "pbul",
        "opsgenie",
        "pagerduty",
    ]
)
"""The beginnings of addresses that are taken: mail, chats, telephones. For programs there are
webhooks."""
_FORBIDDEN = (
    "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "pty.spawn", "subprocess.Popen", "socket.sendto", "socket.sendmsg",
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir",
    "os.symlink", "os.truncate", "sqlite3.connect",
)  # fmt: skip
_WRITES = re.compile("[wax+]")
_SHORTEST = 4
"""Letters of a part of an address: a shorter one hides words, and gives nothing away."""


class Guard:
    """An audit hook that stops what a message does not need; it cannot be taken out again."""

    def __init__(self, allowed: Sequence[Network], readable: Iterable[Path]) -> None:
        self._allowed = allowed
        self._readable = tuple(f"{folder}/" for folder in readable)
        self.stopped: str | None = None
        """Says, once something was stopped, why the last was."""
        self.is_final = False
        """Whether that was a connection: then it makes no sense to try again."""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not self._may_connect(arguments[1]):
            self.is_final = True
            self._refuse(
                "It leads to an address inside the farm's network, or to none: an operator can"
                " allow it with FARM_WEBHOOK_NETWORKS."
            )
        if event == "open" and not self._may_open(*arguments[:2]):
            self._refuse("It names a file on the farm's machine, and none is read.")
        if event in _FORBIDDEN:
            self._refuse(f"It asks for what no message needs ({event}).")

    def _refuse(self, sentence: str) -> None:
        self.stopped = sentence
        raise PermissionError(sentence)

    def _may_connect(self, address: object) -> bool:
        return isinstance(address, tuple) and may_reach(str(address[0]), self._allowed)

    def _may_open(self, path: object, mode: object) -> bool:
        if isinstance(path, int):
            return True
        if isinstance(mode, str) and _WRITES.search(mode):
            return False
        text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
        return str(Path(text).resolve()).startswith(self._readable)


def readable_folders() -> list[Path]:
    """The folders of Python and its packages, and of lists of time zones and authorities."""
    found = {Path(path) for path in (sys.prefix, sys.base_prefix, *site.getsitepackages())}
    found |= {Path(path) for path in sysconfig.get_paths().values()}
    found |= {Path(name) for name in sys.path if name.endswith("site-packages")}
    found |= {Path(__file__).parents[1], Path("/usr/share/zoneinfo"), Path("/etc/ssl")}
    return [folder.resolve() for folder in found]


def answer_to(order: dict[str, Any]) -> dict[str, Any]:
    """Do as an order says. Raises nothing: what goes wrong is an answer."""
    address = order["address"]
    if not is_known(address):
        return _error(
            "The address must begin with one of these, followed by ://, as Apprise has it: "
            + ", ".join(sorted(SERVICES)) + "."
        )  # fmt: skip
    try:
        import apprise  # noqa: PLC0415  # an extra, and loaded by nobody else
    except ImportError:
        return _error(
            "Notifications need Apprise beside the farm: install seedbed[notify].", is_final=False
        )
    guard = Guard([ipaddress.ip_network(one) for one in order["allowed"]], readable_folders())
    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    sys.addaudithook(guard)
    try:
        service = _told(apprise, address, order["message"])
    except _Unusable as exc:
        return _error(guard.stopped or str(exc), is_final=guard.is_final)
    except Exception as exc:  # noqa: BLE001  # a plugin may fail in any way, and its reason is told
        why = f"It failed ({type(exc).__name__}: {exc})."
    else:
        if service is not None:
            return {"service": service}
        why = said.last or "It was not taken."
    return _error(guard.stopped or hidden(why, address), is_final=guard.is_final)


def _told(apprise: types.ModuleType, address: str, message: dict[str, str] | None) -> str | None:
    """The name of the service that has taken a message, or would; None if it has not. Raises
    _Unusable for an address that is none.
    """
    asset = apprise.AppriseAsset(async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY)
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is None:
        raise _Unusable(
            "Apprise cannot use that address: its documentation of the service says how to write"
            " one, https://appriseit.com/services/."
        )
    service.redirects = False  # as of webhooks, whatever the address asks for
    is_taken = message is None or service.notify(**message, body_format=apprise.NotifyFormat.TEXT)
    return str(service.service_name) if is_taken else None


def is_known(address: str) -> bool:
    """Whether an address begins as that of a service that is allowed."""
    scheme, found, rest = address.partition("://")
    return bool(found and rest) and scheme.lower() in SERVICES


def hidden(text: str, address: str) -> str:
    """A text without any part of an address: each may be a secret. Apprise shows the ends of some,
    in addresses that it has shortened.
    """
    text = re.sub(r"\S+://\S*", "…", text)
    parts = set(re.split(r"[:/?&=@#,+\s]+", address)[1:])
    words = {form for part in parts for form in (part, unquote(part)) if len(form) >= _SHORTEST}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "…")
    return text[:300]


class _Unusable(Exception):
    """Why Apprise makes nothing of an address. Its own words would repeat parts of it."""


class _Said(logging.Handler):
    """Keeps the last warning: all that Apprise tells of why it could not send."""

    last: str | None = None

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = f"Apprise says: {record.getMessage()}"


def _error(sentence: str, *, is_final: bool = True) -> dict[str, Any]:
    return {"error": sentence, "is_final": is_final}


def main() -> None:
    answer = answer_to(json.loads(sys.stdin.readline()))
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
