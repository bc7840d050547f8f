"""Fixtures that many tests share."""

import pytest

from farm.config import Settings, read_settings
from storage.campaigns import Campaigns
from storage.database import open_database, upgrade
from storage.outputs import FolderOutputs
from storage.queue import Queue
from storage.watching import Watching


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """What the person who runs the tests has set for a farm of their own must not reach them."""
    import os

    for name in [name for name in os.environ if name.startswith(("FARM_", "RAY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'farm.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def campaigns(engine) -> Campaigns:
    return Campaigns(engine)


@pytest.fixture
def queue(engine) -> Queue:
    return Queue(engine)


@pytest.fixture
def watching(engine) -> Watching:
    return Watching(engine)


@pytest.fixture
def outputs(tmp_path) -> FolderOutputs:
    return FolderOutputs(tmp_path / "outputs")
