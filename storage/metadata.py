"""What all tables of the job database share: their names for constraints, and the type of ids."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite counts rows only in a column declared INTEGER, whatever its size.
Id = BigInteger().with_variant(Integer(), "sqlite")
