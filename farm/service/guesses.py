"""Wrong tokens, counted by the network address that they come from: whoever guesses is soon
answered without a look into the database.
"""

from collections import OrderedDict
from threading import Lock

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from farm.service.secrets import digest_of
from storage.errors import TooManyRequests

WRONG_TOKENS = parse("20/minute")
"""How many wrong tokens one network address may show."""
_RIGHT_KEPT = 10_000


class Guesses:
    """Refuses tokens from an address that has shown too many wrong ones. Those that were right
    before are let through: their holders may be behind the same address.
    """

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._right: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()  # requests are answered by many threads

    def check(self, secret: str, address: str | None) -> None:
        """Raise TooManyRequests for a token that is not looked at now."""
        if digest_of(secret) in self._right or self._limiter.test(WRONG_TOKENS, address or ""):
            return
        wait_s = WRONG_TOKENS.get_expiry()
        error = TooManyRequests(
            f"More than {WRONG_TOKENS.amount} wrong tokens came from this network address within"
            f" a minute: try again in {wait_s} s."
        )
        error.retry_after_s = wait_s
        raise error

    def note(self, secret: str, address: str | None, *, is_right: bool) -> None:
        """What the look at a token found."""
        if not is_right:
            self._limiter.hit(WRONG_TOKENS, address or "")
        digest = digest_of(secret)
        with self._lock:
            self._right.pop(digest, None)
            if is_right:
                self._right[digest] = None
            while len(self._right) > _RIGHT_KEPT:
                self._right.popitem(last=False)
