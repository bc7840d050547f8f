"""The ground that the runs share."""

import os

import pytest

from storage.errors import DatabaseError
from tests.chaos.runs import Chaos, chaos


@pytest.fixture(scope="session")
def ground(tmp_path_factory) -> Chaos:
    """Where the machine has no PostgreSQL: a skip on a laptop, a failure in CI."""
    folder = tmp_path_factory.mktemp("c")
    try:
        with chaos(folder) as ground:
            yield ground
    except DatabaseError as exc:
        if "CI" in os.environ:
            raise
        pytest.skip(str(exc))
