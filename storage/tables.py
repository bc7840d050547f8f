"""The tables of the job database. `storage/migrations` builds exactly these, which a test
proves.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

import storage.access_tables  # so that the metadata has all tables
import storage.notification_tables
import storage.registry_tables
import storage.webhook_tables  # noqa: F401
from storage.metadata import Id as _Id
from storage.metadata import metadata

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("name", String(100), nullable=False),
    Column("spec", Text, nullable=False),  # JSON: everything that a render is computed from
    Column("fingerprint", String(64), nullable=False),
    Column("model", String(1000), nullable=False),
    Column("model_digest", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("max_workers", Integer),
    Column("deadline", Float),
    Column("budget_s", Float),  # how much of `device_s` it may have
    Column("money", Float),  # what its attempts cost; NULL if none had a price
    Column("budget_money", Float),  # how much of `money` it may have
    Column("megapixel_steps", Float, nullable=False, server_default="0"),
    Column("encoding", String(100), nullable=False, server_default="png"),
    Column("is_fresh", Boolean, nullable=False, server_default=false()),
    Column("numerics_class", String(200)),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("held_by_rule", BigInteger, nullable=False, server_default="0"),  # some of `held`
    Column("cancelled", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column(
        "released", BigInteger
    ),  # of a campaign with proofs: how many renders may be painted so far; NULL if all may
    Column("proof_of", BigInteger),  # of a row of proofs: the campaign that they decide about
    Column(
        "device_s", Float, nullable=False, server_default="0"
    ),  # what workers' devices have given to it
    Column(
        "halted", Text
    ),  # a sentence for the operator: nothing of it is painted while it is set
    Column("paused_at", Float),
    Column("cancelled_at", Float),
    Column(
        "waits", Integer, nullable=False, server_default="0"
    ),  # how often in a row something that it needs was away
    Column("waits_until", Float),
    Column("waits_why", Text),
    Column("refusal", String(300)),  # JSON: the rule that keeps it waiting, with its figures
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column(
        "replaces", BigInteger
    ),  # the version before this one: not claimed while any of that is under way
    Column(
        "pruned_at", Float
    ),  # being removed, or replaced: among campaigns, nobody sees it any more
    Column("version", Integer, nullable=False, server_default="1"),
    Column(
        "version_of", String(100)
    ),  # the name under which it is kept to be read, though another version has taken its place
    Column("brand", String(100)),  # like acme@3
    Column("brand_digest", String(64)),
    Column("previews_pruned_at", Float),  # its manifest names no previews since then
    UniqueConstraint("project", "name"),
    Index("ix_campaigns_versions", "project", "version_of", "version", unique=True),
    Index("ix_campaigns_proofs", "proof_of"),
    Index(
        "ix_campaigns_held",
        "project",
        "held",
        sqlite_where=text("held > 0"),
        postgresql_where=text("held > 0"),
    ),
    Index(
        "ix_campaigns_open",
        "id",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    # No id is ever given twice, not even that of a row that was removed: a late result of the old
    # one would count for the new one.
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column(
        "owner", String(255), nullable=False, server_default=""
    ),  # whose child it is: one owner has one dispatcher at a time
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    # 1 for the session that leads, NULL for those that have ended: so there is one at most
    Column("live", Integer, unique=True),
    Column("started_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("ledger", Text),  # JSON: what attempts have shown, up to the attempt `accounted`
    Column("accounted", BigInteger),
    Column("figures", Text),  # JSON: `storage.figures`
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("campaign_id", _Id, ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False),
    Column("group_no", Integer, nullable=False),
    Column(
        "start", BigInteger, nullable=False
    ),  # ordinals within the group, from `start` up to but not including `stop`
    Column("stop", BigInteger, nullable=False),
    Column("numbers", Text),  # JSON: the renders themselves, if they are not a run of ordinals
    Column("total", Integer, nullable=False),  # renders in it: skipped cells are not counted
    Column("state", String(10), nullable=False),
    Column(
        "lease", Integer, nullable=False, server_default="0"
    ),  # grows with every claim; a write with an older one is stale
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("bad_outputs", Integer, nullable=False, server_default="0"),
    Column("session_id", _Id, ForeignKey("sessions.id")),
    Column("worker", String(100)),
    Index("ix_chunks_queue", "campaign_id", "state", "id"),
    Index(
        "ix_chunks_leases",
        "session_id",
        sqlite_where=text("state = 'leased'"),
        postgresql_where=text("state = 'leased'"),
    ),
    sqlite_autoincrement=True,
)

# Workers that have failed a chunk and do not get it again while there are others.
refusals = Table(
    "refusals",
    metadata,
    Column("chunk_id", _Id, ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True),
    Column("worker", String(100), primary_key=True),
)

# No foreign key: rows are written with their campaign's row locked, and looking it up again for
# each takes PostgreSQL a third of the time that writing them does. `storage.control` removes
# them before their campaign.
renders = Table(
    "renders",
    metadata,
    Column("campaign_id", _Id, primary_key=True),
    Column("number", BigInteger, primary_key=True),  # the render's place in the expansion
    Column("digest", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("detail", Text),
    Column("key", Text),
    Column("pixels", String(64)),
    Column("bytes", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(100)),
    Column("numerics_class", String(200)),
    Column("seconds", Float),
    Column("finished_at", Float, nullable=False),
    Column("sha256", String(64)),
    Column("rules_tested", Integer),
    Column("rules_failed", Text),  # names, parted by commas
    Column("drift", Float),  # from its anchor, 0 to 1
    Column("thumbnail", String(40)),  # its atlas, its place there, and its mean colour
    Index(
        "ix_renders_not_done",
        "campaign_id",
        "number",
        sqlite_where=text("state <> 'done'"),
        postgresql_where=text("state <> 'done'"),
    ),
)

# The compositions of renders whose set, all that have one seed, has no median yet. They go as soon
# as it has one.
layouts = Table(
    "layouts",
    metadata,
    Column("campaign_id", _Id, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("layout", String(200), nullable=False),
)

# The medians of sets, from which all their renders' drift is measured.
anchors = Table(
    "anchors",
    metadata,
    Column("campaign_id", _Id, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("layout", String(200), nullable=False),
)

# The measurements of a model, by the digest of its weights.
model_profiles = Table(
    "model_profiles",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("profile", Text, nullable=False),  # JSON
    Column("measured_at", Float, nullable=False),
)

# Each version of each brand pack of a project.
brands = Table(
    "brands",
    metadata,
    Column("project", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("document", Text, nullable=False),  # JSON
    Column("added_at", Float, nullable=False),
    Column("frozen_at", Float),  # since when a campaign uses it
    UniqueConstraint("project", "name", "digest"),
)

# What the pipelines of each numerics class paint when they are warmed up: the first worker to say
# so is believed.
canaries = Table(
    "canaries",
    metadata,
    Column("subject", String(400), primary_key=True),
    Column("numerics_class", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("worker", String(100), nullable=False),
    Column("seen_at", Float, nullable=False),
)

# One row for each time that a worker gave a chunk back, however it ended; `storage.metering` reads
# the new ones.
attempts = Table(
    "attempts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("campaign_id", _Id, ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False),
    Column("chunk_id", _Id, nullable=False),
    Column("lease", Integer, nullable=False),
    Column("worker", String(100), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("detail", Text),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("facts", Text, nullable=False),  # JSON: what the worker measured
    Column("ended_at", Float, nullable=False),
    Column("pool", String(100)),
    Column("price", Float),  # of an hour of the worker; NULL if the fleet file has no prices
    # How long the worker had the chunk, by use (`storage.spent`).
    Column("painted_s", Float, nullable=False, server_default="0"),
    Column("padding_s", Float, nullable=False, server_default="0"),
    Column("load_s", Float, nullable=False, server_default="0"),
    Column("retries_s", Float, nullable=False, server_default="0"),
    Column("stopped_s", Float, nullable=False, server_default="0"),
    Column("lost_s", Float, nullable=False, server_default="0"),
    Column("idle_s", Float, nullable=False, server_default="0"),
    Column("megapixel_steps", Float, nullable=False, server_default="0"),
    Column("session_id", BigInteger),  # the session that settled it: its process counts it
    Index("ix_attempts_campaign", "campaign_id", "id"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("session_id", _Id, ForeignKey("sessions.id"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("pool", String(100)),
    Column("node", String(255)),
    Column("node_id", String(100)),
    Column("device", String(100)),
    Column("numerics_class", String(200)),
    Column("warm", Text),
    Column("loaded", Text, nullable=False, server_default="[]"),  # JSON: all models it has warm
    Column(
        "blamed", Text, nullable=False, server_default="[]"
    ),  # JSON: campaigns whose renders it failed, one after the other
    Column("quarantined_until", Float),
    Column("quarantined_why", Text),
    Column("seen_at", Float, nullable=False),
)

# The orders of an operator to the fleet: one row at most. The settings stand for a NULL.
scaling = Table(
    "scaling",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("floor", Integer),
    Column("ceiling", Integer),
    Column("is_frozen", Boolean, nullable=False, server_default=false()),
    Column(
        "given", Text, nullable=False, server_default="{}"
    ),  # JSON: of each order that stands, by whom and when
)

# Workers and nodes that are to get nothing more, and to go.
drains = Table(
    "drains",
    metadata,
    Column("target", String(255), primary_key=True),
    Column("asked_at", Float, nullable=False),
    Column("asked_by", String(120)),
)

# The log of decisions about renders: only ever added to. No foreign key, for the same reason as
# for renders.
reviews = Table(
    "reviews",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("campaign_id", _Id, nullable=False),
    Column("client", String(64), nullable=False),
    Column(
        "sequence", BigInteger, nullable=False
    ),  # the client's own count: a decision that is sent again is known by it
    Column("verdict", String(10)),  # NULL for an entry that takes another one back
    Column("undoes", BigInteger),
    Column("reason", String(20)),
    Column("note", Text),
    Column("reviewer", String(120)),
    Column("chosen_by", Text, nullable=False),  # JSON: the filter, as it was asked for
    Column(
        "numbers", LargeBinary, nullable=False
    ),  # the renders that it is about, as `storage.numbers` packs them
    Column("count", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),  # JSON: what the client was told
    Column("decided_at", Float, nullable=False),
    UniqueConstraint("campaign_id", "client", "sequence"),
    sqlite_autoincrement=True,
)

# One row for each change, written with it; those with an author are the audit log. No foreign key:
# an event outlives what it is about.
events = Table(
    "events",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", Float, nullable=False),
    Column("kind", String(60), nullable=False),
    Column("project", String(100)),
    Column("campaign", String(100)),
    Column("data", Text, nullable=False),  # JSON
    Column("author", String(200)),  # NULL for what the farm did by itself
    Column("token", String(100)),
    Column("address", String(100)),
    Column("before", Text),  # JSON
    Column("after", Text),  # JSON
    Index("ix_events_campaign", "project", "campaign", "id"),
    Index(
        "ix_events_audit",
        "id",
        sqlite_where=text("author IS NOT NULL"),
        postgresql_where=text("author IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# Answers to orders that had a key of their own, for a day; without a `status` while one is carried
# out.
answers = Table(
    "answers",
    metadata,
    Column("scope", String(64), primary_key=True),  # whoever sent it, as a digest
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),  # of the whole order
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("begun_at", Float, nullable=False),
    Index("ix_answers_begun_at", "begun_at"),
)
