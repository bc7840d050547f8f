"""The database's clock: the only one whose readings are ever compared, since hosts disagree about
the time.
"""

from typing import Any

from sqlalchemy import Connection, Float, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class db_time(FunctionElement[float]):  # noqa: N801  # an SQL function, written as one
    """Seconds since 1970 by the clock of the database, at the moment of the statement."""

    type = Float()
    inherit_cache = True
    name = "db_time"


@compiles(db_time, "postgresql")
def _postgresql(_element: object, _compiler: object, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(db_time, "sqlite")
def _sqlite(_element: object, _compiler: object, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


def now(connection: Connection) -> float:
    return float(connection.execute(select(db_time())).scalar_one())
