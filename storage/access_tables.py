"""The tables of the job database about access: tokens, roles, projects, links, and what people
upload.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, text

from storage.metadata import Id, metadata

# What people and programs show to be known. Rows stay, revoked ones too: the log names them.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),  # the part of a token that may be read by anybody
    Column("person", String(80), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the whole token
    Column("created_at", Float, nullable=False),
    Column("created_by", String(80)),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),  # to the minute
    Column("last_used_from", String(100)),
    Index("ix_tokens_person", "person"),
)

# The role of a person in a project; the project `*` stands for all of them.
grants = Table(
    "grants",
    metadata,
    Column("person", String(80), primary_key=True),
    Column("project", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("given_at", Float, nullable=False),
    Column("given_by", String(80)),
    Index("ix_grants_project", "project"),
)

# Projects that an operator has made known, with their quotas; NULL is no limit. A project without
# a row has none.
projects = Table(
    "projects",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(80)),
    Column("device_hours", Float),  # of one device, in a calendar month
    Column("workers", Integer),  # at a time
    Column("queued", BigInteger),  # renders
    Column("stored_bytes", BigInteger),
    Column("month_told", String(100)),  # what people were told last of its month
)

# Browsers whose users have shown a token, by its name and its digest: nothing here lets anybody
# in.
logins = Table(
    "logins",
    metadata,
    Column("secret", String(64), primary_key=True),  # SHA-256 of the secret in the cookie
    Column("token", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("begun_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# Links that show one campaign to people outside. Rows stay, revoked ones too: the log names them.
links = Table(
    "links",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False),  # SHA-256 of the whole secret
    Column("passphrase", String(200)),  # what scrypt makes of it, with the salt; NULL for none
    Column("project", String(100), nullable=False),
    Column("campaign", String(100), nullable=False),
    Column("name", String(80), nullable=False),  # whom it is for
    Column("may_review", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(80)),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("opened_at", Float),
    Column("tries", Integer, nullable=False, server_default="0"),  # of the passphrase, of late
    Column("tried_at", Float),
    Index("ix_links_campaign", "project", "campaign"),
)

# Files that people have uploaded. Of those that are there, a project has each content once.
files = Table(
    "files",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the bytes
    Column("kind", String(20), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("name", String(200)),  # as the uploader calls it
    Column("added_at", Float, nullable=False),
    Column("added_by", String(80)),
    Column("stored_at", Float),  # NULL while its bytes are on their way to the outputs
    Column("left_at", Float),  # since when it is being removed
    Index(
        "ix_files_present",
        "project",
        "digest",
        unique=True,
        sqlite_where=text("left_at IS NULL"),
        postgresql_where=text("left_at IS NULL"),
    ),
    # No id is given twice: it is part of the key in the outputs.
    sqlite_autoincrement=True,
)
