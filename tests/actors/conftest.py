"""What tests of the painting floor share."""

import pytest

from tests.pipelines import built_once


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a family's tiny model, built when it is first asked for."""
    return built_once(tmp_path_factory.mktemp("models"))
