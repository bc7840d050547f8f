"""What tests of the painting floor share."""

import pytest

from tests.pipelines import save


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a family's tiny model, built when it is first asked for."""
    root = tmp_path_factory.mktemp("models")
    return lambda pipeline: (
        root / pipeline if (root / pipeline).is_dir() else save(pipeline, root / pipeline)
    )
