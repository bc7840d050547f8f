"""`farm tokens` and `farm projects`, as a person types them."""

import json
import stat

import pytest
from typer.testing import CliRunner

from farm.app import embedded_farm, open_app, serve
from farm.cli import app, main
from farm.client.client import Client
from farm.commands.links import read_day
from farm.commands.projects import bytes_text, read_bytes, read_roles
from farm.config import read_settings
from farm.connect import client_of, open_client
from farm.documents.document import DocumentError
from storage.database import closing_engine
from storage.errors import Conflict, NotAllowed, NotFound, RequestError
from storage.events import ALL, Events
from tests.campaigns import campaign


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments):
    return [json.loads(line) for line in run(*arguments, "--json").splitlines()]


def test_a_secret_is_printed_alone_and_once(home):
    secret = run("tokens", "create", "mira", "--role", "reviewer", "--project", "acme").strip()
    assert secret.startswith("seedbed_")
    assert " " not in secret
    (row,) = as_json("tokens", "list")
    assert (row["person"], row["state"], row["created_by"]) == ("mira", "valid", "(farm)")
    assert row["id"] in secret
    assert secret not in run("tokens", "list") + json.dumps(row)
    assert "never" in run("tokens", "list")
    with open_client(read_settings()) as client:
        assert client.project_of("acme").roles == {"mira": "reviewer"}
        assert client.project_of("acme").created_at is None  # it was not made known
        client.create_project("acme")
        assert client.project_of("acme").created_at is not None


def test_a_token_opens_what_its_role_allows_and_no_more(home):
    secret = run("tokens", "create", "mira", "--role", "submitter", "--project", "acme").strip()
    run("tokens", "create", "ops", "--role", "operator", "--all-projects")
    settings = read_settings()
    with open_app(settings) as api, serve(api, 0) as url, Client(url, token=secret) as mira:
        me = mira.whoami()
        assert (me.person, me.roles) == ("mira", {"acme": "submitter"})
        with mira.of("acme") as own, mira.of("zen") as other:
            assert own.campaigns() == []
            with pytest.raises(NotFound, match="no project zen, or you have no role"):
                other.campaigns()
        with pytest.raises(NotAllowed, match="operator in all projects"):
            mira.scale(floor=1)
        with pytest.raises(NotAllowed, match="the role admin"):
            mira.create_token("tom")
        assert [token.person for token in mira.tokens()] == ["mira"]


def test_whoever_the_home_belongs_to_needs_no_token_and_no_other_farm_learns_theirs(home):
    run("tokens", "create", "mira", "--role", "viewer", "--all-projects")
    settings = read_settings()
    with embedded_farm(settings, port=0) as farm:
        kept = home / "farm.token"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        with client_of(settings, farm.url) as client:
            assert client.whoami().roles == {"*": "admin"}
        with client_of(settings, farm.url.replace("127.0.0.1", "localhost")) as client:
            assert client._token is None
        with Client(farm.url) as stranger, pytest.raises(NotAllowed):
            stranger.campaigns()
        assert kept.read_text() not in str((home / "farm.json").read_text())
    assert not kept.exists()


def test_tokens_are_rotated_and_revoked(home):
    run("tokens", "create", "mira", "--role", "viewer", "--all-projects", "--expires", "2d")
    (old,) = as_json("tokens", "list")
    assert "T" in old["expires_at"]
    (new,) = as_json("tokens", "rotate", old["id"])
    assert (new["person"], new["secret"][:8]) == ("mira", "seedbed_")
    assert "Revoked" in run("tokens", "revoke", new["id"])
    assert [row["state"] for row in as_json("tokens", "list")] == ["revoked", "revoked"]
    with open_client(read_settings()) as client, pytest.raises(NotFound, match="no token nothing"):
        client.revoke_token("nothing")


def test_projects_have_quotas_and_people(home):
    run(
        "projects", "create", "acme", "--workers", "3", "--stored", "1.5TB", "--role", "tom=viewer"
    )
    said = run(
        "projects", "set", "acme", "--workers", "none", "--queued", "500", "--role", "a=operator",
        "--device-hours", "12.5",
    )  # fmt: skip
    assert "workers at a time     no limit" in said
    assert "renders that wait     500" in said
    assert "files stored          1.5 TB" in said
    assert "device hours a month  12.5" in said
    assert said.splitlines()[-2:] == ["  a is operator", "  tom is viewer"]
    run("projects", "set", "acme", "--role", "tom=none")
    (row,) = as_json("projects", "list")
    assert row["quota"] == {
        "workers": None, "queued": 500, "stored_bytes": 1_500_000_000_000, "device_hours": 12.5,
    }  # fmt: skip
    assert row["roles"] == {"a": "operator"}
    assert "acme" in run("projects", "list")
    assert "mira is admin" in run("projects", "set", "--all-projects", "--role", "mira=admin")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("projects", "set", "acme"), "Say what changes"),
        (("projects", "set", "--role", "a=viewer"), "Name a project"),
        (("projects", "set", "--all-projects", "--workers", "3"), "Name a project"),
        (("projects", "set", "acme", "--role", "mira"), "write it like mira=reviewer"),
        (("projects", "set", "acme", "--role", "mira=admin"), "an admin is one of the whole farm"),
        (("projects", "set", "acme", "--role", "mira=king"), "roles"),
        (("projects", "set", "acme", "--workers", "-1"), "is no number"),
        (("projects", "set", "acme", "--workers", "1.5"), "workers"),
        (("projects", "set", "acme", "--device-hours", "-1"), "is no number"),
        (("projects", "set", "acme", "--stored", "much"), "write it like 500GB"),
        (("projects", "set", "acme", "--workers", "1"), "There is no project acme"),
        (("tokens", "create", "Mira Röhl"), "person"),
        (("tokens", "create", "mira", "--all-projects"), "--role ROLE"),
        (("tokens", "create", "mira", "--expires", "soon"), "no length of time"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_sentence(home, capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code in (2, 4)
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_project_is_made_known_once(home):
    with open_client(read_settings()) as client:
        client.create_project("acme", limits={"workers": 2}, roles={"mira": "viewer"})
        with pytest.raises(Conflict, match="a project acme already"):
            client.create_project("acme")
        with pytest.raises(DocumentError, match="an admin"):
            client.create_project("zen", roles={"mira": "admin"})
        assert [row.project for row in client.projects()] == ["acme"]


def test_every_change_is_in_the_log_with_whoever_made_it(home):
    run("projects", "create", "acme", "--workers", "2")
    run("projects", "set", "acme", "--workers", "3", "--role", "mira=viewer")
    run("projects", "set", "acme", "--workers", "3", "--role", "mira=viewer")  # changes nothing
    run("tokens", "create", "mira", "--role", "operator", "--project", "acme")
    (token,) = as_json("tokens", "list")
    run("tokens", "revoke", token["id"])
    run("tokens", "revoke", token["id"])
    with closing_engine(read_settings().database_address) as engine:
        rows = Events(engine).after(0, ALL, limit=100)
    assert [(row.kind, row.before, row.after) for row in rows] == [
        ("project.created", None, {**NO_LIMITS, "workers": 2}),
        ("project.changed", {"workers": 2}, {"workers": 3}),
        ("role.changed", None, "viewer"),
        ("role.changed", "viewer", "operator"),
        ("token.created", None, None),
        ("token.revoked", None, None),
    ]
    assert {row.author for row in rows} == {"(farm)"}
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert [row.project for row in rows] == ["acme"] * 4 + [None] * 2


NO_LIMITS = {"workers": None, "queued": None, "stored_bytes": None, "device_hours": None}


def test_numbers_of_bytes_are_read_and_written():
    for text, count in (
        ("0", 0),
        ("7", 7),
        ("2TB", 2 * 10**12),
        ("1.5 gb", 15 * 10**8),
        ("9kb", 9000),
    ):
        assert read_bytes(text) == count
    assert [bytes_text(count) for count in (0, 999, 1000, 15 * 10**8)] == [
        "0 B", "999 B", "1 KB", "1.5 GB",
    ]  # fmt: skip
    for text in ("", "GB", "1XB", "-1", "1e9", "٣"):
        with pytest.raises(RequestError):
            read_bytes(text)


def test_roles_are_read():
    assert read_roles(["mira=viewer", "a@b.c=none"]) == {"mira": "viewer", "a@b.c": None}


def test_a_campaign_is_shared_listed_and_taken_back(home, monkeypatch):
    with open_client(read_settings()) as client:
        client.submit(campaign())
    shared = ("share", "spring", "--for", "anna", "--until", "2026-12-31")
    monkeypatch.setattr("farm.api.links.time.time", lambda: read_day("2026-12-01"))
    result = CliRunner().invoke(app, [*shared, "--passphrase"], input="four quiet herons\n")
    assert "/share#seedbed_" in result.stdout.strip()
    assert "2027-01-01 00:00" in result.stderr
    (row,) = as_json("links", "list", "spring")
    assert (row["name"], row["has_passphrase"], row["may_review"]) == ("anna", True, False)
    assert row["expires_at"] == "2027-01-01T00:00:00.000Z"
    assert "look *" in run("links", "list")
    assert as_json(*shared, "--review")[0]["path"].startswith("/share#")
    assert "opens spring no more" in run("links", "revoke", row["id"])
    assert [one["state"] for one in as_json("links", "list")] == ["revoked", "valid"]


def test_the_last_day_of_a_link_ends_with_it():
    assert read_day("2026-12-31") == read_day("2027-01-01T00:00+00:00")
    assert read_day("2026-12-31T18:00+01:00") == read_day("2026-12-31T17:00")
    with pytest.raises(RequestError, match="no date"):
        read_day("soon")
