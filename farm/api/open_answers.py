"""Answers under way, like a stream of lines: each is broken off soon after whoever asked has lost
the right to it.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.api.needs import Admitted
from farm.service.access import Access
from storage.errors import SeedbedError

LOOK_S = 1.0

Now = Callable[[Collection[str]], Mapping[str, Access]]
"""The tokens and logins, of these, that are still valid, with what their holders may do."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Answer:
    token: str
    state: Mapping[str, Any]
    scope: anyio.CancelScope

    def may_go_on(self, access: Access | None) -> bool:
        admitted = self.state.get("admitted")
        return access is not None and (
            not isinstance(admitted, Admitted) or admitted.holds_for(access)
        )


class OpenAnswers:
    """The answers under way of one application. One question a second asks about all of them; none
    is asked while there are none.
    """

    def __init__(self, now: Now, look_s: float | None = None) -> None:
        self._now = now
        self._look_s = LOOK_S if look_s is None else look_s
        self._open: set[_Answer] = set()
        self._watch: asyncio.Task[None] | None = None

    async def answer(
        self, app: ASGIApp, token: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have a request answered; it is broken off if the token or login loses the right to
        it.
        """
        with anyio.CancelScope() as cancelling:
            one = _Answer(token=token, state=scope["state"], scope=cancelling)

            async def noting(message: Message) -> None:
                if message.get("more_body"):
                    self._add(one)
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._open.discard(one)

    def _add(self, answer: _Answer) -> None:
        self._open.add(answer)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(self._look_s)
            tokens = {answer.token for answer in self._open}
            try:
                now = await to_thread.run_sync(self._now, tokens)
            except SeedbedError:
                continue  # nobody is revoked while the database cannot be reached
            for answer in [one for one in self._open if one.token in tokens]:
                if not answer.may_go_on(now.get(answer.token)):
                    answer.scope.cancel()
