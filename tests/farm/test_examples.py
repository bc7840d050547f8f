"""The campaigns in examples/ are painted with the real model, at small size."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actors.painting.engine import Engine
from farm.api.serving import serve
from farm.app import open_app
from farm.campaign.loading import load_campaign
from farm.client.client import Client
from farm.config import read_settings
from tests.farm.resting import paint
from tests.farm.test_reviews import paint_proofs

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture(scope="module")
def engine():
    """One for all files, so that the model is read once."""
    return Engine()


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


def small(name):
    """The first two values of each axis, one seed, few steps and few pixels; no budget, which
    needs prices.
    """
    campaign = load_campaign(EXAMPLES / name).campaign
    vary = {
        axis: values[:2] if isinstance(values, list) else values
        for axis, values in campaign.vary.items()
    }
    changes = {"steps": 5, "size": (64, 64)}
    settings = campaign.settings.model_copy(update=changes)
    seeds = (11,) if isinstance(campaign.seeds, tuple) else campaign.seeds
    return campaign.model_copy(
        update={"vary": vary, "settings": settings, "seeds": seeds, "budget": None}
    )


@pytest.mark.parametrize("name", FILES)
def test_an_example_is_painted(name, farm, settings, engine):
    campaign = small(name)
    farm.submit(campaign)
    if campaign.proof is not None:
        assert paint_proofs(settings, campaign.name, engine)
        assert farm.approve(campaign.name).changed > 0
    assert paint(settings, campaign.name, engine)
    status = farm.status(campaign.name)
    assert status.renders.queued == status.renders.failed == 0
    assert status.renders.done + status.renders.held > 0
    outputs = settings.open_outputs()
    keys = [line["key"] for line in farm.manifest(campaign.name) if line["key"]]
    pictures = [Image.open(BytesIO(outputs.read(key, 1_000_000))) for key in keys]
    finals = [np.asarray(picture.convert("RGB")) for picture in pictures]
    assert {pixels.shape for pixels in finals} == {(64, 64, 3)}
    assert min(pixels.std() for pixels in finals) > 5  # none is flat
    assert len({pixels.tobytes() for pixels in finals}) == len(finals)
