"""FLUX.2 dev, in whose folder a processor stands around the tokenizer; and prompts beside the
instruction that it reads before each.
"""

import json
import shutil

import pytest

from actors.models.families import family_of
from actors.models.models import find_model
from actors.models.tokenizers import open_tokenizer, room_of
from actors.painting.engine import Engine
from actors.recipes.errors import BadRequest, PromptTooLong
from tests.actors.tiny import group, hashes, recipes

pytestmark = pytest.mark.usefixtures("unproved")

DEV = "Flux2Pipeline"


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def test_a_folder_with_the_processor_of_its_makers_paints_the_same(engine, folder, tmp_path):
    path = shutil.copytree(folder(DEV), tmp_path / "dev")
    index = json.loads((path / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "PixtralProcessor"]
    (path / "model_index.json").write_text(json.dumps(index))
    own = {"processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2}
    (path / "tokenizer" / "processor_config.json").write_text(json.dumps(own))
    assert find_model(str(path)).pipeline == DEV
    found = [hashes(engine, recipes(group(at)), at) for at in (folder(DEV), path)]
    assert found[0] == found[1]


def test_submission_and_worker_agree_how_long_a_prompt_may_be(engine, folder):
    path, (reader,) = folder(DEV), family_of(DEV).readers
    tokenizer = open_tokenizer("dev", path, "tokenizer")
    room = room_of(reader, tokenizer)
    prompt = "o" * room
    assert tokenizer.count(prompt) == room < 512 - 100  # the instruction has as many letters
    (one, *_) = recipes(group(path, batch=1), prompt=prompt)
    assert engine.paint([one], str(path)).pixels[0] is not None
    (long, *_) = recipes(group(path, batch=1), prompt=prompt + "oo")
    with pytest.raises(PromptTooLong):
        engine.paint([long], str(path))


def test_a_word_that_its_pipeline_takes_out_is_refused(engine, folder):
    path = folder(DEV)
    with pytest.raises(BadRequest, match=r"would not read \[IMG\]"):
        engine.paint(recipes(group(path), prompt="a [IMG] mug"), str(path))
