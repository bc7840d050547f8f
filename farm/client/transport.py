"""HTTP to a farm: requests that it refuses are raised as the errors that they stand for."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from farm.documents.document import MAX_TOLD, DocumentError, problem_from_json
from storage.errors import (
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

Json = dict[str, Any]
CONNECT_S = 5.0
TRIES = 4
LONGEST_PAUSE_S = 30
T = TypeVar("T")


class Transport:
    """Requests to the API at one address."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._sleep = sleep
        # Never through a proxy of the environment: a farm is on this machine or on one's own
        # network. Certificates take 30 ms to read, and plain HTTP, which nothing leads away from,
        # needs none.
        self._http = httpx.Client(
            base_url=url,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            verify=httpx.URL(url).scheme == "https",
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, view: type[T], path: str, params: Mapping[str, str] | None = None) -> T:
        """The answer to a question, as `view`: a class of farm.service.views, or a list of one."""
        return self.read(view, self.request("GET", path, params=params))

    def post(
        self,
        view: type[T],
        path: str,
        body: Json | None = None,
        *,
        params: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> T:
        """The answer to an order, as `view`. `timeout_s` is for one that takes long by nature."""
        built = self._built("POST", path, params, body)
        if timeout_s is not None:
            built.extensions["timeout"] = httpx.Timeout(timeout_s, connect=CONNECT_S).as_dict()
        return self.read(view, self._sent(built))

    def read(self, view: type[T], response: httpx.Response) -> T:
        """An answer as a view. Keys of a later farm are passed over."""
        try:
            return TypeAdapter(view).validate_json(response.content, extra="ignore")
        except ValidationError as exc:
            raise WorkError(
                f"The server at {self.url} is not a farm, or a farm of another version: check"
                " FARM_URL."
            ) from exc

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        tries: int = TRIES,
    ) -> httpx.Response:
        """The answer to a request. What did not arrive, or met a farm that is busy, is sent again,
        up to `tries` times in all: questions change nothing, and an order has a key, so that the
        farm carries it out once.
        """
        return self._sent(self._built(method, path, params, body), tries=tries)

    def send_file(self, path: str, data: bytes, params: Mapping[str, str]) -> httpx.Response:
        """The answer to an order whose body is a file. It is sent again as other orders are."""
        kind = {"Content-Type": "application/octet-stream"}
        return self._sent(
            self._http.build_request(
                "POST", f"/api/v1/{path}", params=params, content=data, headers=kind
            )
        )

    def page(self, path: str) -> str:
        """What the farm serves beside its API, as text."""
        return self._sent(self._http.build_request("GET", f"/{path}")).text

    def lines(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        with self._stream(path, params) as response:
            for line in response.iter_lines():
                yield json.loads(line)

    def text_lines(self, path: str, params: Mapping[str, str]) -> Iterator[str]:
        """The lines of an answer that comes piece by piece."""
        with self._stream(path, params) as response:
            yield from response.iter_lines()

    def download(self, path: str, params: Mapping[str, str], file: IO[bytes]) -> None:
        """Write the answer to a request to a file, in pieces."""
        with self._stream(path, params) as response:
            for piece in response.iter_bytes():
                file.write(piece)

    @contextmanager
    def _stream(self, path: str, params: Mapping[str, str]) -> Iterator[httpx.Response]:
        response = self._sent(self._built("GET", path, params, None), stream=True)
        try:
            with closing(response):
                yield response
        except httpx.TransportError as exc:
            raise Unreachable(
                f"The farm at {self.url} broke off in the middle of the {path.rpartition('/')[2]}"
                f" ({exc}): try again."
            ) from exc

    def _built(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json | None
    ) -> httpx.Request:
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        try:
            return self._http.build_request(
                method, f"/api/v1/{path}", params=params, json=body, headers=headers
            )
        except ValueError as exc:
            raise RequestError(
                "This cannot be sent, as it has half a character or a number that is not finite:"
                f" {exc}."
            ) from exc

    def _sent(
        self, request: httpx.Request, *, stream: bool = False, tries: int = TRIES
    ) -> httpx.Response:
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(tries),
            wait=_pause_s,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._send, request, stream=stream)

    def _send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            response = self._http.send(request, stream=stream)
            if response.is_error:
                response.read()
        except httpx.TransportError as exc:
            raise Unreachable(
                f"No farm answers at {self.url} ({exc}): start one with `farm up`, or run one"
                " campaign with `farm run FILE`."
            ) from exc
        if response.is_error:
            _raise(response)
        return response


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may be answered a moment later. One that got no answer in all of
    its time is not sent again: its caller has waited long enough.
    """
    if isinstance(error, Unreachable):
        return not isinstance(error.__cause__, httpx.TimeoutException) or isinstance(
            error.__cause__, httpx.ConnectTimeout
        )
    return isinstance(error, SeedbedError) and error.code in _PASSING


def _pause_s(state: RetryCallState) -> float:
    """As many seconds as the farm asks for, else more each time, and not the same for all who
    wait.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, SeedbedError) else None
    return min(asked, LONGEST_PAUSE_S) if asked is not None else _BACKOFF(state)


_PASSING = frozenset({"in-progress", "too-many-requests", "full", "database-unavailable"})
_BACKOFF = wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1)
_KINDS: dict[int, type[SeedbedError]] = {
    401: Unauthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    502: Unreachable,
    504: Unreachable,
}
"""What statuses stand for. Those that are not here are RequestError below 500, else WorkError."""


def _raise(response: httpx.Response) -> None:
    """Raise the error that an answer stands for, with its code and its places."""
    status = response.status_code
    kind = _KINDS.get(status, RequestError if status < 500 else WorkError)
    try:
        answer = response.json()
        detail, code = str(answer["detail"]), str(answer["code"])
        problems = [problem_from_json(told) for told in answer["problems"]]
    except (ValueError, KeyError, TypeError):
        if status == 503:  # of a proxy before the farm
            kind = Unreachable
        raise kind(f"The farm answered {status}: {response.text[:300]}") from None
    if problems:
        raise DocumentError(problems, most=MAX_TOLD)
    error = kind(detail, code=code)
    after = response.headers.get("retry-after", "")
    error.retry_after_s = int(after) if after.isdecimal() else None
    raise error
