"""Fixtures that many tests share."""

import functools
import inspect
import os
from contextlib import contextmanager
from uuid import uuid4

import httpx
import hypothesis
import pytest

from actors.models import whole
from farm.config import Settings, read_settings
from storage.bench.postgres import temporary_postgres
from storage.bench.seaweed import temporary_seaweed
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.database import open_database, upgrade
from storage.errors import DatabaseError, OutputsError
from storage.outputs import FolderOutputs
from storage.queue import Queue
from storage.settling import Settling
from storage.watching import Watching
from tests import haproxy

# A test that takes its time is no failure: machines differ.
hypothesis.settings.register_profile("farm", deadline=None)
hypothesis.settings.load_profile("farm")
# Nor is an answer that takes longer than the five seconds for which httpx waits.
for _ask in (httpx.Client.__init__, httpx.get, httpx.post, httpx.request, httpx.stream):
    inspect.unwrap(_ask).__kwdefaults__["timeout"] = 60.0


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """What the person who runs the tests has set for a farm of their own must not reach them."""
    for name in [name for name in os.environ if name.startswith(("FARM_", "RAY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def tensors_are_looked_at_in_this_process(monkeypatch):
    """The program that looks at a model's tensors takes 7 s; most of them for loading what these
    tests have loaded already.
    """

    def fault_in(folder):
        from actors.painting.shapes import fault_of

        return fault_of(folder)

    monkeypatch.setattr(whole, "fault_in", fault_in)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return read_settings(home=tmp_path / "home")


def pytest_xdist_auto_num_workers():
    """One more than the processors: tests wait for their servers a fifth of the time."""
    return os.cpu_count() + 1


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for the whole session. Where the machine has none: a skip on a laptop, a
    failure in CI.
    """
    try:
        server = temporary_postgres()
        running = server.__enter__()
    except DatabaseError as exc:
        if "CI" in os.environ:
            raise
        pytest.skip(str(exc))
    yield running
    server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """The address of a database with all tables, which others are copied from."""
    url = postgres.new_database()
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def seaweed():
    """An S3 server for the whole session. Where it is not installed: a skip on a laptop, a failure
    in CI.
    """
    try:
        server = temporary_seaweed()
        running = server.__enter__()
    except OutputsError as exc:
        if "CI" in os.environ:
            raise
        pytest.skip(str(exc))
    with _models_read_once():
        yield running
    server.__exit__(None, None, None)


@contextmanager
def _models_read_once():
    """Each client of boto3 reads the description of S3 from disk again: a quarter of a second."""
    import botocore.session

    with pytest.MonkeyPatch.context() as patch:
        loader = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        yield


@pytest.fixture
def bucket(seaweed, monkeypatch):
    """The address of an empty bucket, with the environment that leads to it."""
    import boto3

    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    name = f"farm-{uuid4().hex[:12]}"
    boto3.session.Session().client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture
def faulty(tmp_path):
    """Starts an HAProxy before a server, with rules by which it fails. Where it is not installed:
    a skip on a laptop, a failure in CI.
    """
    if haproxy.binary() is None:
        assert "CI" not in os.environ, "HAProxy is missing: apt-get install haproxy"
        pytest.skip("HAProxy is not installed: apt-get install haproxy.")
    return functools.partial(haproxy.haproxy, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The address of a database of the test's own, with all tables; once on each engine."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        return server.new_database(request.getfixturevalue("postgres_template"))
    url = f"sqlite:///{tmp_path / 'farm.db'}"
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def brands(engine) -> Brands:
    return Brands(engine)


@pytest.fixture
def campaigns(engine) -> Campaigns:
    return Campaigns(engine)


@pytest.fixture
def queue(engine) -> Queue:
    return Queue(engine)


@pytest.fixture
def settling(engine) -> Settling:
    return Settling(engine)


@pytest.fixture
def control(engine) -> Control:
    return Control(engine)


@pytest.fixture
def watching(engine) -> Watching:
    return Watching(engine)


@pytest.fixture
def outputs(tmp_path) -> FolderOutputs:
    return FolderOutputs(tmp_path / "outputs")
