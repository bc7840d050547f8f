"""What stored campaigns rely on: the same file means the same seeds, recipes and keys for ever."""

from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

from actors.models.models import find_model
from farm.campaign.loading import load_campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, make_spec, picture_key_of
from storage.states import Stage
from tests.demo import recorded


def test_the_demo_has_the_seeds_recipes_and_keys_that_it_always_had():
    campaign = load_campaign(Path(str(files("farm") / "demo.yaml"))).campaign
    expansion = expansion_of(make_spec(campaign, find_model("seedling"), Sources()))
    row = SimpleNamespace(project="demo", name="demo", title="demo", version=1, stage=Stage.FINAL)
    found = [
        {
            "number": str(render.number),
            "seed": str(render.seed),
            "key": picture_key_of(row, render, campaign.encoding.format),
            "digest": expansion.recipe(group, render).digest,
        }
        for group, render in expansion.all_renders()
    ]
    found.sort(key=lambda line: int(line["number"]))
    known = [{name: line[name] for name in found[0]} for line in recorded()]
    assert found == known
