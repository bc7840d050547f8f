"""The notices that a cloud gives before it takes a machine away. A provider is a function that
answers with the seconds that are left, or None.

`aws`: the instance metadata service, version 2 (EC2 user guide, "Spot Instance interruption
notices"): two minutes ahead.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

_AWS = "http://169.254.169.254"
_TIMEOUT_S = 2.0
_POLL_S = 5.0
_TOKEN_S = 21_600

log = logging.getLogger(__name__)

Notice = Callable[[], float | None]


class AwsNotice:
    """Asks the machine's own metadata service."""

    def __init__(self, address: str = _AWS) -> None:
        self._address = address.rstrip("/")
        self._http = httpx.Client(timeout=_TIMEOUT_S, trust_env=False)
        self._token: str | None = None

    def __call__(self) -> float | None:
        """Raises httpx.HTTPError if the service does not answer."""
        answer = self._ask()
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
            answer = self._ask()
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        action = answer.json()
        if action.get("action") == "hibernate":
            return 0.0
        ends = datetime.fromisoformat(str(action["time"]))
        return max(0.0, (ends - datetime.now(UTC)).total_seconds())

    def _ask(self) -> httpx.Response:
        if self._token is None:
            given = self._http.put(
                f"{self._address}/latest/api/token",
                headers={"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_S)},
            )
            self._token = given.raise_for_status().text
        url = f"{self._address}/latest/meta-data/spot/instance-action"
        return self._http.get(url, headers={"X-aws-ec2-metadata-token": self._token})


PROVIDERS: dict[str, Callable[..., Notice]] = {"aws": AwsNotice}


def open_notice(text: str) -> Notice:
    """A provider by its name, or by its name and an address, like aws=http://127.0.0.1:1338."""
    name, _, address = text.partition("=")
    return PROVIDERS[name](*([address] if address else []))


class Watch:
    """Asks for a notice every `poll_s` seconds, in a thread of its own."""

    def __init__(self, notice: Notice, *, poll_s: float = _POLL_S) -> None:
        self._notice, self._poll_s = notice, poll_s
        self._ends_at: float | None = None
        self._failed = False
        threading.Thread(target=self._run, name="notices", daemon=True).start()

    def left_s(self) -> float | None:
        """Seconds until the machine is taken away; None if there is no notice."""
        ends_at = self._ends_at
        return None if ends_at is None else max(0.0, ends_at - time.monotonic())

    def look(self) -> None:
        """Ask once."""
        try:
            left_s = self._notice()
        except (httpx.HTTPError, ValueError, KeyError) as exc:
            if not self._failed:
                log.warning("The cloud's notices cannot be read: %s. action=notice", exc)
            self._failed = True
            return
        self._failed = False
        self._ends_at = None if left_s is None else time.monotonic() + left_s

    def _run(self) -> None:
        while True:
            self.look()
            time.sleep(self._poll_s)
