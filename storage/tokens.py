"""Tokens and the roles of those who hold them, in the job database. Of a token only a digest is
kept.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, Select, insert, select, update

from storage.access_tables import grants, tokens
from storage.author import author
from storage.clock import db_time
from storage.errors import NotFound
from storage.event_kinds import EventKind
from storage.events import record
from storage.granting import put_grant

USE_NOTED_S = 60.0
"""The last use of a token is written down to that many seconds."""


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """A token without its secret. Times are seconds since 1970 by the database's clock, and `now`
    is one of them: when the row was read.
    """

    id: str
    person: str
    digest: str = field(repr=False)
    created_at: float
    created_by: str | None
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    last_used_from: str | None
    now: float

    @property
    def is_valid(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.now < self.expires_at)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A token with the roles that its holder has now, by project."""

    token: TokenRow
    roles: Mapping[str, str]


class Tokens:
    """The tokens of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def has_any(self) -> bool:
        """Whether a token was ever made, one that is revoked by now included."""
        with self._reader.connect() as connection:
            return connection.execute(select(tokens.c.id).limit(1)).first() is not None

    def known(self, ids: Collection[str]) -> dict[str, Known]:
        """Tokens by their ids, as they are now: those that are not valid any more too."""
        query = (
            select(*tokens.c, db_time().label("now"), grants.c.project, grants.c.role)
            .outerjoin(grants, grants.c.person == tokens.c.person)
            .where(tokens.c.id.in_(ids))
        )
        found: dict[str, Known] = {}
        with self._reader.connect() as connection:
            for *values, project, role in connection.execute(query):
                token = TokenRow(**dict(zip(_COLUMNS, values, strict=True)))
                roles = found[token.id].roles if token.id in found else {}
                more = {} if project is None else {project: role}
                found[token.id] = Known(token=token, roles={**roles, **more})
        return found

    def roles(self, people: Collection[str]) -> dict[str, dict[str, str]]:
        """The roles of people, by project; nobody without a role is among them."""
        query = select(grants.c.person, grants.c.project, grants.c.role).where(
            grants.c.person.in_(people)
        )
        found: dict[str, dict[str, str]] = {}
        with self._reader.connect() as connection:
            for person, project, role in connection.execute(query):
                found.setdefault(person, {})[project] = role
        return found

    def all(self) -> list[TokenRow]:
        """Every token, the oldest first."""
        query = _tokens().order_by(tokens.c.created_at, tokens.c.id)
        with self._reader.connect() as connection:
            return [TokenRow(**row._mapping) for row in connection.execute(query)]

    def get(self, token_id: str) -> TokenRow:
        """Raises NotFound."""
        with self._reader.connect() as connection:
            return _one(connection, token_id)

    def create(
        self,
        *,
        token_id: str,
        person: str,
        digest: str,
        expires_in_s: float | None,
        project: str | None = None,
        role: str | None = None,
    ) -> TokenRow:
        """Store a token, and with `role` the role of its holder in a project."""
        with self._engine.begin() as connection:
            if project is not None and role is not None:
                put_grant(connection, person, project, role)
            return _insert(connection, token_id, person, digest, expires_in_s)

    def revoke(self, token_id: str) -> TokenRow:
        """A token that was revoked before stays as it is. Raises NotFound."""
        with self._engine.begin() as connection:
            _revoke(connection, token_id)
            return _one(connection, token_id)

    def replace(
        self, token_id: str, *, new_id: str, digest: str, expires_in_s: float | None
    ) -> TokenRow:
        """Revoke a token, and store another for the same person. Raises NotFound."""
        with self._engine.begin() as connection:
            _revoke(connection, token_id)
            person = _one(connection, token_id).person
            return _insert(connection, new_id, person, digest, expires_in_s)

    def note_use(self, token_id: str, address: str | None) -> None:
        """Write down that a token was used just now, unless that was done a moment ago."""
        last = tokens.c.last_used_at
        is_due = last.is_(None) | (last < db_time() - USE_NOTED_S) | (last > db_time())
        used = update(tokens).where(tokens.c.id == token_id, is_due)
        with self._engine.begin() as connection:
            connection.execute(used.values(last_used_at=db_time(), last_used_from=address))


_COLUMNS = [column.name for column in tokens.c] + ["now"]


def _tokens() -> Select[tuple[object, ...]]:
    return select(*tokens.c, db_time().label("now"))


def _one(connection: Connection, token_id: str) -> TokenRow:
    row = connection.execute(_tokens().where(tokens.c.id == token_id)).first()
    if row is None:
        raise NotFound(f"There is no token {token_id}: `farm tokens list` shows those there are.")
    return TokenRow(**row._mapping)


def _insert(
    connection: Connection, token_id: str, person: str, digest: str, expires_in_s: float | None
) -> TokenRow:
    by = author.get()
    connection.execute(
        insert(tokens).values(
            id=token_id,
            person=person,
            digest=digest,
            created_at=db_time(),
            created_by=None if by is None else by.name,
            expires_at=None if expires_in_s is None else db_time() + expires_in_s,
        )
    )
    data = {"token": token_id, "person": person}
    record(connection, EventKind.TOKEN_CREATED, data=data)
    return _one(connection, token_id)


def _revoke(connection: Connection, token_id: str) -> None:
    mine = (tokens.c.id == token_id) & tokens.c.revoked_at.is_(None)
    ended = update(tokens).where(mine).values(revoked_at=db_time()).returning(tokens.c.person)
    person = connection.execute(ended).scalar()
    if person is not None:
        data = {"token": token_id, "person": person}
        record(connection, EventKind.TOKEN_REVOKED, data=data)
