"""Secrets that people and programs show: how they are made, read and compared. Pure, but for the
randomness of new ones.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

_PREFIX = "seedbed"  # so that scanners of code know one that was left in a file
_SHAPE = re.compile(rf"{_PREFIX}_([a-z0-9]{{10}})_[A-Za-z0-9_-]{{43}}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that looks like another


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A new token: its id, which may be shown and logged, and the whole, which is shown once."""

    id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.text)


def new_secret() -> Secret:
    """256 random bits: too many to guess, so that a fast hash keeps them well."""
    token_id = "".join(secrets.choice(_LETTERS) for _ in range(10))
    return Secret(id=token_id, text=f"{_PREFIX}_{token_id}_{secrets.token_urlsafe(32)}")


def id_in(text: str) -> str | None:
    """The id in a token; None if the text has not the shape of one."""
    found = _SHAPE.fullmatch(text)
    return None if found is None else found[1]


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def is_same(text: str, digest: str) -> bool:
    """Whether a digest is that of a text. It takes as long whatever the text is."""
    return hmac.compare_digest(digest_of(text), digest)
