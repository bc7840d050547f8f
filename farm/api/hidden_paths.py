"""Takes the paths of the farm's machine out of answers to clients elsewhere: they help nobody
there but who attacks it.
"""

import os
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from huggingface_hub.constants import HF_HUB_CACHE
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As JSON has them: the quotes of a traceback's lines are escaped there, and what ends a path ends
# it there too.
_IN_TRACEBACK = re.compile(rb'File \\"/[^"\\]*/([^"\\/]+)\\"')
_REST = rb"(?:/[^\s\"'\\,;:()]*)?"


class PathsHidden:
    """Shortens paths below the farm's own folders to their last part, in every JSON text that is
    answered.
    """

    def __init__(self, app: ASGIApp, hidden: Iterable[Path], shown: Collection[Path]) -> None:
        """`hidden` are the farm's own folders; what lies in a `shown` one was named by clients,
        and stays.
        """
        self._app = app
        roots = sorted(
            {os.fsencode(path) for path in hidden if len(path.parts) > 1}, key=len, reverse=True
        )
        self._paths = re.compile(
            rb"(?<![\w.-])(?:" + b"|".join(map(re.escape, roots)) + rb")(?![\w.-])" + _REST
        )
        self._shown = tuple(os.fsencode(path) for path in shown)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_json, waiting = False, list[Message]()

        async def hiding(message: Message) -> None:
            nonlocal is_json
            if message["type"] == "http.response.start":
                is_json = b"json" in dict(message["headers"]).get(b"content-type", b"")
                waiting.append(message)  # its length is known once the body is
                return
            if is_json:
                message = {**message, "body": self._without_paths(message.get("body", b""))}
            if waiting:
                start = waiting.pop()
                await send(
                    {**start, "headers": _with_length(start["headers"], len(message["body"]))}
                    if is_json
                    else start
                )
            await send(message)

        await self._app(scope, receive, hiding)

    def _without_paths(self, body: bytes) -> bytes:
        return self._paths.sub(self._last_part, _IN_TRACEBACK.sub(rb'File \\"\1\\"', body))

    def _last_part(self, found: re.Match[bytes]) -> bytes:
        path = found[0]
        if any(path == folder or path.startswith(folder + b"/") for folder in self._shown):
            return path
        return "…/".encode() + path.rstrip(b"/").rpartition(b"/")[2]


def own_folders(*more: Path) -> list[Path]:
    """The folders of the farm's machine that its sentences may name: its home and whatever it is
    given, its code, its cache of models.
    """
    return [
        *more,
        Path(HF_HUB_CACHE),
        Path(__file__).parents[2],
        Path(sys.prefix),
        Path(sys.base_prefix),
    ]


def _with_length(headers: Iterable[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    return [
        (name, b"%d" % length if name == b"content-length" else value) for name, value in headers
    ]
