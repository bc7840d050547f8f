"""Measurements of models, by the digests of their weights."""

import json

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import db_time
from storage.rows import Json, dump
from storage.tables import model_profiles


class Profiles:
    """The profiles of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def get(self, digest: str) -> Json:
        """The measurements of a model; empty if there are none."""
        query = select(model_profiles.c.profile).where(model_profiles.c.digest == digest)
        with self._reader.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return {} if found is None else dict(json.loads(found))

    def learn(self, digest: str, measured: Json) -> Json:
        """Add what was measured, in place of what was known by the same names; returns all that
        is known now.
        """
        mine = model_profiles.c.digest == digest
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        nothing = {"digest": digest, "profile": "{}", "measured_at": db_time()}
        first = dialect.insert(model_profiles).values(nothing)
        with self._engine.begin() as connection:
            # Two that measure a model at once wait for each other: there is a row to be locked.
            connection.execute(first.on_conflict_do_nothing())
            query = select(model_profiles.c.profile).where(mine).with_for_update()
            whole: Json = {**json.loads(connection.execute(query).scalar_one()), **measured}
            values = {"profile": dump(whole), "measured_at": db_time()}
            connection.execute(update(model_profiles).where(mine).values(values))
        return whole
