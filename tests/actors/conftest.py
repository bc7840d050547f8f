"""What tests of the painting floor share."""

import pytest

from tests.pipelines import built_once


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a family's tiny model, built when it is first asked for."""
    return built_once(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def unproved():
    """Engines paint no canaries, which take as long as three batches for each kind of batch. The
    matrix of families paints them for every family and way to begin.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.painting.engine.paint_canaries", lambda _group, _paint: "0" * 64)
        yield
