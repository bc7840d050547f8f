"""Asks every route of the API as everybody, and writes down who is let in.

`python -m tests.farm.access_walk` writes the table that is committed, tests/farm/access_table.txt;
a test compares it. A change of it has to be meant.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from farm.app import open_app
from farm.config import read_settings
from farm.service.access import Role
from farm.service.secrets import new_secret
from storage.database import closing_engine
from storage.projects import Projects, Quota
from storage.tokens import Tokens
from tests.routes import routes_of

TABLE = Path(__file__).with_name("access_table.txt")
OWN, OTHER, ALL = "own", "other", "*"
SUBJECTS = [
    "nobody",
    *(f"{where}:{role}" for where in (OWN, OTHER) for role in Role if role is not Role.ADMIN),
    *(f"{ALL}:{role}" for role in Role),
]
FILLED = {
    "name": "spring", "number": "0", "digest": "a" * 64, "token": "abcdefghij", "project": OWN,
    "kind": "models", "registered": "tiny", "step": "1", "key": f"{OWN}/spring/final/x/1.png",
    "link": "abcdefghij", "atlas": "1x1-0123456789ab",
}  # fmt: skip
HEAD = """# Who is let in by each route: `in`, 401 for whoever is not known, 403 for a role that is
# too low, 404 for a project in which they have no role. `own:` is a role in the project that is
# asked for, `other:` one in another project, `*:` one in all of them.
# Written by `python -m tests.farm.access_walk`.
"""


def people(settings):
    """A token for each subject but nobody."""
    with closing_engine(settings.database_address) as engine:
        tokens, projects, secrets = Tokens(engine), Projects(engine), {}
        for subject in SUBJECTS[1:]:
            project, role = subject.split(":")
            secret = new_secret()
            person = f"{'all' if project == ALL else project}-{role}"
            tokens.create(
                token_id=secret.id, person=person, digest=secret.digest, expires_in_s=None
            )
            projects.give({person: role}, project=project)
            secrets[subject] = secret.text
        projects.create(OWN, Quota(), {})
    return secrets


def filled(path):
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    assert "{" not in path, f"{path}: say in FILLED what stands for it"
    return path


async def ask(app, method, path, *, secret=None, query="", body=None, headers=()):
    """The status of an answer and its body; of a good one the beginning is enough. Whoever is sent
    to log in is refused as with 401: it is how pages say it.
    """
    shown = [(b"host", b"127.0.0.1:8600"), *headers]
    if secret is not None:
        shown.append((b"authorization", f"Bearer {secret}".encode()))
    data = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        shown += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "headers": shown, "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    told, sent = {"status": None, "body": b""}, False

    async def receive():
        nonlocal sent
        if sent:
            await anyio.sleep_forever()
        sent = True
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            leads_to = dict(message["headers"]).get(b"location", b"")
            is_unknown = message["status"] == 303 and leads_to.startswith(b"/login?to=")
            told["status"] = 401 if is_unknown else message["status"]
            if message["status"] < 400:
                one.cancel()  # a stream may have no end
        else:
            told["body"] += message.get("body", b"")

    with anyio.CancelScope() as one:
        await app(scope, receive, send)
    return told["status"], told["body"]


def question(route):
    """How a route is asked about the project `own`."""
    query = {parameter.alias for parameter in route.dependant.query_params}
    fields = {}
    if route.body_field is not None:
        fields = getattr(route.body_field.field_info.annotation, "model_fields", {})
    body = None
    if route.body_field is not None:
        body = {"project": OWN} if "project" in fields else {}
    return {"query": f"project={OWN}" if "project" in query else "", "body": body}


def verdict(status, body):
    """Whether somebody was let in, whatever became of what they asked then."""
    if status == 401 or (status == 403 and b"other-site" not in body):
        return str(status)
    if status == 404 and f"There is no project {OWN}, or".encode() in body:
        return "404"
    return "in"


async def walk(app, secrets, headers=()):
    """By route, for each subject the verdict."""
    found = {}
    for path, route in sorted(routes_of(app), key=lambda pair: (pair[0], *pair[1].methods)):
        for method in sorted(route.methods):
            row = found[f"{method} {path}"] = []
            for subject in SUBJECTS:
                status, body = await ask(
                    app, method, filled(path), secret=secrets.get(subject), headers=headers,
                    **question(route),
                )  # fmt: skip
                row.append(verdict(status, body))
    return found


def table_text(found):
    width = max(map(len, found))
    lines = [f"# {', '.join(SUBJECTS)}"]
    lines += [
        f"{name:{width}}  {' '.join(f'{told:>3}' for told in row)}" for name, row in found.items()
    ]
    return HEAD + "\n".join(lines) + "\n"


def main():
    with TemporaryDirectory(prefix="farm-walk-") as folder:
        settings = read_settings(home=Path(folder))
        with open_app(settings) as app:
            TABLE.write_text(table_text(anyio.run(walk, app, people(settings))))


if __name__ == "__main__":
    sys.exit(main())
