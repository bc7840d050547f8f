"""HTTP to a farm: requests that it refuses are raised as the errors that they stand for."""

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

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
T = TypeVar("T")


class Transport:
    """Requests to the API at one address."""

    def __init__(self, url: str, *, token: str | None, timeout_s: float) -> None:
        self.url = url
        # Never through a proxy of the environment: a farm is on this machine or on one's own
        # network.
        self._http = httpx.Client(
            base_url=url,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, view: type[T], path: str, params: Mapping[str, str] | None = None) -> T:
        """The answer to a question, as `view`: a class of farm.service.views, or a list of one."""
        return self._read(view, self.request("GET", path, params=params))

    def post(
        self,
        view: type[T],
        path: str,
        body: Json | None = None,
        *,
        params: Mapping[str, str] | None = None,
    ) -> T:
        """The answer to an order, as `view`."""
        return self._read(view, self.request("POST", path, params=params, body=body))

    def _read(self, view: type[T], response: httpx.Response) -> T:
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
    ) -> httpx.Response:
        try:
            request = self._http.build_request(method, f"/api/v1/{path}", params=params, json=body)
        except ValueError as exc:
            raise RequestError(
                "This cannot be sent, as it has half a character or a number that is not finite:"
                f" {exc}."
            ) from exc
        try:
            response = self._http.send(request)
        except httpx.TransportError as exc:
            raise Unreachable(
                f"No farm answers at {self.url} ({exc}): start one with `farm up`, or run one"
                " campaign with `farm run FILE`."
            ) from exc
        if response.is_error:
            _raise(response)
        return response

    def lines(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        try:
            with self._http.stream("GET", f"/api/v1/{path}", params=params) as response:
                if response.is_error:
                    response.read()
                    _raise(response)
                for line in response.iter_lines():
                    yield json.loads(line)
        except httpx.TransportError as exc:
            raise Unreachable(
                f"The farm at {self.url} broke off in the middle of the {path.rpartition('/')[2]}"
                f" ({exc}): try again."
            ) from exc

    def download(self, path: str, params: Mapping[str, str], file: IO[bytes]) -> None:
        """Write the answer to a request to a file, in pieces."""
        try:
            with self._http.stream("GET", f"/api/v1/{path}", params=params) as response:
                if response.is_error:
                    response.read()
                    _raise(response)
                for piece in response.iter_bytes():
                    file.write(piece)
        except httpx.TransportError as exc:
            raise Unreachable(
                f"The farm at {self.url} broke off in the middle of the {path.rpartition('/')[2]}"
                f" ({exc}): try again."
            ) from exc


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
        raise kind(f"The farm answered {status}: {response.text[:300]}") from None
    if problems:
        raise DocumentError(problems, most=MAX_TOLD)
    raise kind(detail, code=code)
