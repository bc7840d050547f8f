"""Tokens: made, listed, revoked and replaced. A secret leaves this file once, in the answer to
whoever made it.
"""

from typing import Any

from farm.service.access import Access, Role
from farm.service.secrets import Secret, new_secret
from storage.errors import NotFound
from storage.everywhere import EVERYWHERE
from storage.tokens import TokenRow, Tokens

Json = dict[str, Any]


class TokenService:
    """The tokens of a farm."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def create(
        self,
        person: str,
        *,
        role: Role | None = None,
        project: str | None = None,
        expires_in_s: float | None = None,
    ) -> Json:
        """A new token of a person; with `role` they get that role in the project, with None in all
        of them, in the place of one that they had there.
        """
        secret = new_secret()
        row = self._tokens.create(
            token_id=secret.id,
            person=person,
            digest=secret.digest,
            expires_in_s=expires_in_s,
            project=(project or EVERYWHERE) if role is not None else None,
            role=role,
        )
        return _with_secret(row, secret)

    def all(self, access: Access) -> list[Json]:
        """Every token, for an admin; one's own for others."""
        return [token_json(row) for row in self._tokens.all() if _is_theirs(access, row)]

    def revoke(self, access: Access, token_id: str) -> Json:
        """End a token, one's own or as an admin any. Raises NotFound."""
        self._check(access, token_id)
        return token_json(self._tokens.revoke(token_id))

    def rotate(self, access: Access, token_id: str, expires_in_s: float | None) -> Json:
        """End a token, and make another for the same person, which lasts as long as the old one
        was made for. Only an admin gives it more time than that one has left. Raises NotFound.
        """
        row = self._check(access, token_id)
        secret = new_secret()
        new = self._tokens.replace(
            token_id,
            new_id=secret.id,
            digest=secret.digest,
            expires_in_s=_lasting(row, expires_in_s, is_free=access.is_admin),
        )
        return _with_secret(new, secret)

    def _check(self, access: Access, token_id: str) -> TokenRow:
        """Of tokens of others nobody but an admin is told whether they are there."""
        known = self._tokens.known([token_id]).get(token_id)
        if known is None or not _is_theirs(access, known.token):
            raise NotFound(
                f"There is no token {token_id} that you may change: `farm tokens list` shows"
                " those that you may."
            )
        return known.token


def token_json(row: TokenRow) -> Json:
    """A token as the API shows it."""
    state = "revoked" if row.revoked_at is not None else "valid" if row.is_valid else "expired"
    return {
        "id": row.id,
        "person": row.person,
        "state": state,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "last_used_at": row.last_used_at,
        "last_used_from": row.last_used_from,
    }


def _lasting(row: TokenRow, wanted_s: float | None, *, is_free: bool) -> float | None:
    """For how many seconds the token in the place of another may last; None is for ever."""
    if row.expires_at is None:
        return wanted_s
    if is_free:
        return wanted_s or row.expires_at - row.created_at
    left_s = row.expires_at - row.now
    return left_s if wanted_s is None else min(wanted_s, left_s)


def _with_secret(row: TokenRow, secret: Secret) -> Json:
    return {**token_json(row), "secret": secret.text}


def _is_theirs(access: Access, row: TokenRow) -> bool:
    return access.is_admin or (access.token is not None and access.person == row.person)
