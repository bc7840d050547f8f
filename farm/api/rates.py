"""How often one may ask: each token, or each network address of those who show none, alone."""

from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from farm.api.errors import refusal_of
from storage.author import author
from storage.errors import TooManyRequests


class SteadyOnly:
    """Refuses whoever asks more often than a rate allows. It stands behind the guard that finds
    out who asks.
    """

    def __init__(self, app: ASGIApp, rate: RateLimitItem) -> None:
        self._app = app
        self._rate = rate
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        by = author.get()
        if scope["type"] != "http" or by is None:  # who need not be known asks for the health
            await self._app(scope, receive, send)
            return
        who = by.token_id or by.address or by.name
        if self._limiter.hit(self._rate, who):
            await self._app(scope, receive, send)
            return
        error = TooManyRequests(
            f"More than {self._rate} were asked: ask again in {self._rate.get_expiry()} s, or"
            " raise FARM_RATE."
        )
        error.retry_after_s = self._rate.get_expiry()
        await refusal_of(error)(scope, receive, send)
