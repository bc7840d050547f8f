"""The table of registered models and adapters, beside those of `storage.tables`."""

from sqlalchemy import BigInteger, Column, Float, Index, String, Table, Text

from storage.metadata import metadata

# Each version of each registered model and adapter. Its files are in the outputs.
registered = Table(
    "registered",
    metadata,
    Column("kind", String(10), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("digest", String(140), primary_key=True),
    Column("manifest", String(64), nullable=False),  # the sha256 of the list of its files
    Column("files", Text, nullable=False),  # JSON: the sha256 of each of them
    Column("bytes", BigInteger, nullable=False),
    Column("about", Text, nullable=False),  # JSON: its pipeline, its licence, its source
    Column("added_at", Float, nullable=False),
    Column("added_by", String(255)),
    Index("ix_registered_newest", "kind", "name", "added_at"),
)
