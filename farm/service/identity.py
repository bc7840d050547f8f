"""Who asks: the token that a request shows is looked up, with the roles of its holder, at every
request. So a revocation or a demotion counts from the next one on.
"""

import hmac
import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Self

from farm.service.access import OPENID, Access, Role, roles_from
from farm.service.guesses import Guesses
from farm.service.secrets import digest_of, id_in, is_same
from storage.errors import SeedbedError, Unauthenticated
from storage.everywhere import EVERYWHERE
from storage.tokens import USE_NOTED_S, Known, TokenRow, Tokens

_NOBODY = digest_of("")  # what the secret of an unknown token is compared with, to take as long
_HOW = "set FARM_TOKEN, or give the client one"
NO_TOKEN = f"This farm asks for a token: {_HOW}."
UNKNOWN_TOKEN = f"This farm does not know that token: {_HOW} that an admin has made."

log = logging.getLogger(__name__)


class Identities:
    """Finds out who asks. `admins` are tokens of the farm's own, by the names under which their
    holders are known: each is an admin's, and cannot be revoked while the farm runs. With
    `is_open`, whoever is on this machine is an admin until a token was made.
    """

    def __init__(self, tokens: Tokens, *, admins: Mapping[str, str], is_open: bool) -> None:
        self._tokens = tokens
        self._admins = {name: digest_of(secret) for name, secret in admins.items()}
        self.is_open = is_open
        self._guesses = Guesses()
        self._noted: dict[str, float] = {}
        self._notes = ThreadPoolExecutor(1, "token-uses")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._notes.shutdown()

    def own(self, secret: str | None) -> Access | None:
        """Whoever shows a token of the farm's own: known without a look into the database."""
        found = None
        for name, digest in self._admins.items():
            if secret is not None and is_same(secret, digest):
                found = _admin(name)
        return found

    def of(self, secret: str | None, *, address: str | None) -> Access:
        """Whoever shows a token, or with None no token. Raises Unauthenticated for one that is not
        known, or not valid any more, and TooManyRequests after too many of those.
        """
        if (found := self.own(secret)) is not None:
            return found
        if secret is None:
            if self.is_open and not self._tokens.has_any():
                return _admin("(this machine)")
            raise Unauthenticated(NO_TOKEN)
        self._guesses.check(secret, address)
        try:
            known = self._known(secret)
        except Unauthenticated:
            self._guesses.note(secret, address, is_right=False)
            raise
        self._guesses.note(secret, address, is_right=True)
        self._note_use(known.token, address)
        return _access(known)

    def _known(self, secret: str) -> Known:
        """The token that a secret is of. Raises Unauthenticated for one that lets nobody in."""
        token_id = id_in(secret)
        known = None if token_id is None else self._tokens.known([token_id]).get(token_id)
        if not is_same(secret, _NOBODY if known is None else known.token.digest) or known is None:
            raise Unauthenticated(UNKNOWN_TOKEN)
        if not known.token.is_valid:
            raise Unauthenticated(_ended(known.token))
        return known

    def by_digest(self, name: str, digest: str) -> Access | None:
        """Whoever has the token of that name, or id, and that digest; None if it is not valid."""
        if name in self._admins:
            return _admin(name) if hmac.compare_digest(self._admins[name], digest) else None
        known = self._tokens.known([name]).get(name)
        is_it = known is not None and hmac.compare_digest(known.token.digest, digest)
        return _access(known) if known is not None and is_it and known.token.is_valid else None

    def now(self, ids: Collection[str]) -> dict[str, Access]:
        """Those of the tokens that are still valid, with the roles that their holders have now."""
        people = {name.removeprefix(OPENID) for name in ids if name.startswith(OPENID)}
        found = self._tokens.known([name for name in ids if not name.startswith(OPENID)])
        valid = {name: _access(known) for name, known in found.items() if known.token.is_valid}
        roles = self._tokens.roles(people) if people else {}
        return valid | {OPENID + name: _person(name, had) for name, had in roles.items()}

    def person(self, name: str) -> Access | None:
        """Whoever an OpenID provider tells of, with the roles that they have now; None for
        somebody without a role.
        """
        return self.now([OPENID + name]).get(OPENID + name)

    def flush(self) -> None:
        """Wait until the uses of tokens so far are written down."""
        self._notes.submit(lambda: None).result()

    def _note_use(self, token: TokenRow, address: str | None) -> None:
        """Once a minute, and beside the request: it must not wait for whoever writes."""
        last = self._noted.get(token.id, token.last_used_at or 0.0)
        if last <= token.now < last + USE_NOTED_S:
            return
        self._noted[token.id] = token.now
        self._notes.submit(self._write_use, token.id, address)

    def _write_use(self, token_id: str, address: str | None) -> None:
        try:
            self._tokens.note_use(token_id, address)
        except SeedbedError as exc:
            log.warning("The use of token %s is not written down: %s", token_id, exc)


def _access(known: Known) -> Access:
    return Access(person=known.token.person, roles=roles_from(known.roles), token=known.token.id)


def _person(name: str, roles: Mapping[str, str]) -> Access:
    return Access(person=name, roles=roles_from(roles), token=OPENID + name)


def _admin(name: str) -> Access:
    return Access(person=name, roles={EVERYWHERE: Role.ADMIN})


def _ended(token: TokenRow) -> str:
    if token.revoked_at is not None:
        return f"The token {token.id} was revoked: ask an admin of the farm for another."
    at = datetime.fromtimestamp(token.expires_at or 0.0, UTC)
    return (
        f"The token {token.id} expired on {at:%Y-%m-%d %H:%M} UTC: ask an admin of the farm for"
        " another."
    )
