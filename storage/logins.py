"""The logins of browsers: each row lets one of them in until it expires or is ended."""

import hashlib
import secrets
from collections.abc import Collection

from sqlalchemy import Engine, delete, insert, select

from storage.access_tables import logins
from storage.clock import db_time

LASTS_S = 7 * 86_400.0
"""How long a browser stays logged in."""


class Logins:
    """The logins in one job database. Of their secrets only digests are kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def begin(self, token: str, digest: str, lasts_s: float = LASTS_S) -> tuple[str, float]:
        """A new login with a token, by its name and its digest: the login's secret, and how many
        seconds it lasts. Logins that have expired are removed.
        """
        secret = secrets.token_urlsafe(32)
        row = {
            "secret": _kept(secret),
            "token": token,
            "digest": digest,
            "begun_at": db_time(),
            "expires_at": db_time() + lasts_s,
        }
        with self._engine.begin() as connection:
            connection.execute(delete(logins).where(logins.c.expires_at < db_time()))
            connection.execute(insert(logins).values(row))
        return secret, lasts_s

    def find(self, secrets_: Collection[str]) -> dict[str, tuple[str, str]]:
        """Of those of these logins that have not ended, by secret, the name and the digest of the
        token that each began with.
        """
        kept = {_kept(secret): secret for secret in secrets_ if secret}
        query = select(logins).where(logins.c.secret.in_(kept), logins.c.expires_at > db_time())
        with self._reader.connect() as connection:
            return {kept[r.secret]: (r.token, r.digest) for r in connection.execute(query)}

    def end(self, secret: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(logins).where(logins.c.secret == _kept(secret)))


def _kept(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
