"""Every family in every way to begin that it has, with adapters and previews if it takes them:
painted in two shapes of a batch by a worker that ends in the middle and by the one after it, and
painted again from what a file says.
"""

import json

import pytest
from PIL import Image

from actors.models.families import FAMILIES, family_of
from actors.painting.engine import Engine
from actors.painting.painter import Painter
from farm.campaign.specs import expansion_of
from farm.dispatch.chunk_job import chunk_job
from farm.results.reproduce import campaign_of, read_picture
from storage.states import CampaignState
from tests.adapters import save_adapter
from tests.farm.resting import paint_queued
from tests.pipelines import (
    built_once,
    control_of,
    ip_adapter_of,
    small_edits,
    union_of,
    upscaler_of,
)

SIZE = (64, 32)


def ways(family):
    """The ways to begin that a family has."""
    if family.only_edits:
        return ["edit"]
    has = {
        "text": True,
        "reference": family.image_to_image,
        "mask": family.inpaint,
        "control": family.controlled,
        "union": family.united,
        "likeness": family.likenesses,
        "upscale": True,
        "edit": family.edits,
    }
    return [way for way, it in has.items() if it]


CASES = [(family.pipeline, way) for family in FAMILIES for way in ways(family)]


class Ended(BaseException):
    """The worker's process ends."""


class Mortal(Engine):
    """Ends in the middle of its first batch, when a look at it could be kept."""

    def paint(self, recipes, folder, previews=None, **more):
        def end(_step, _pictures):
            raise Ended

        return super().paint(recipes, folder, previews, **{**more, "on_preview": end})


@pytest.fixture(scope="module")
def follower():
    return Engine(device="cpu", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with small_edits():
        yield built_once(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory, folder):
    """What lies beside a model, built when it is first asked for."""
    root = tmp_path_factory.mktemp("beside")
    build = {
        "adapter": lambda model, at: save_adapter(model, at / "made.safetensors"),
        "control": control_of,
        "union": union_of,
        "likeness": ip_adapter_of,
        "upscale": lambda _model, at: upscaler_of(at),
    }

    def made(kind, pipeline):
        at = root / f"{pipeline}-{kind}"
        if not at.is_dir():
            build[kind](folder(pipeline), at)
        return str(at)

    return made


@pytest.fixture
def pictures(tmp_path):
    found = {}
    for k, name in enumerate(("first", "second", "mask")):
        noise = Image.effect_noise((96, 80), 60 + k)
        (noise.point(lambda v: 255 * (v > 128)) if name == "mask" else noise).convert("RGB").save(
            tmp_path / f"{name}.png"
        )
        found[name] = str(tmp_path / f"{name}.png")
    return found


def begun(way, family, beside, pictures):
    """The part of a campaign that says how renders begin."""
    first, second = pictures["first"], pictures["second"]
    reference = {"image": first, "strength": 0.75}
    match way:
        case "reference":
            return {"reference": reference}
        case "mask":
            return {"reference": {**reference, "mask": pictures["mask"]}}
        case "control":
            net = beside("control", family.pipeline)
            return {"control": {"model": net, "image": first, "until": 0.5}}
        case "union":
            net = beside("union", family.pipeline)
            return {"control": {"model": net, "image": first, "kind": "depth"}}
        case "likeness":
            mood = beside("likeness", family.pipeline)
            return {"likeness": {"model": mood, "image": second, "scale": 0.6}}
        case "upscale":
            return {"upscale": {"model": beside("upscale", family.pipeline), "by": 2}}
        case "edit":
            return {"edit": [first, second][: family.edits]}
    return {}


def campaign(folder, beside, pictures, pipeline, way):
    family = family_of(pipeline)
    settings = {"steps": 4, "size": "{}x{}".format(*SIZE)}
    if family.guidance is None:
        settings["guidance"] = 3.0
    if family.takes_adapters:
        begin = {"adapters": [{"lora": beside("adapter", pipeline), "scale": 0.5}]}
    else:
        begin = {}
    shapes = {} if way == "edit" else {"batch": [1, 3]}
    return {
        "name": "tiny", "model": str(folder(pipeline)), "prompt": "a {color} mug",
        "vary": {"color": ["red", "blue"], **shapes}, "seeds": {"count": 2},
        "settings": settings, "previews": {"every": 2},
        **begin, **begun(way, family, beside, pictures),
    }  # fmt: skip


def end_in_the_middle(queue, row, outputs):
    """A worker has the first chunk, and its process ends while it paints that."""
    session = queue.lead(owner="first", host="h", pid=1)
    (chunk,) = queue.claim(session, [(row.id, "w")])
    painter = Painter("w", Mortal(device="cpu", threads=1), outputs)
    with pytest.raises(Ended):
        painter.paint(chunk_job(row, expansion_of(row.spec), chunk))
    queue.end_session(session)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("pipeline", "way"), CASES)
def test_whatever_a_family_has_is_painted_to_its_end_and_again_from_its_file(
    service, queue, settling, campaigns, outputs, reading, folder, beside, pictures, follower,
    pipeline, way,
):  # fmt: skip
    row, _ = service.submit("p", campaign(folder, beside, pictures, pipeline, way))
    end_in_the_middle(queue, row, outputs)
    painter = Painter("v", follower, outputs)
    paint_queued(queue, settling, row, painter)
    done = campaigns.get("p", "tiny")
    assert (done.state, done.done) == (CampaignState.DONE, done.total)
    lines = [json.loads(line) for line in reading.manifest("p", "tiny")]
    assert all(len(line["previews"]) == 1 for line in lines)
    by_shape = {line["settings"]["batch"]: line for line in lines}
    assert set(by_shape) == ({1} if way == "edit" else {1, 3})
    for batch, line in by_shape.items():
        with outputs.open(line["key"]) as file:
            asked = campaign_of(read_picture(file.read()), name="again")
        again, _ = service.submit(f"again-{batch}", asked)
        paint_queued(queue, settling, again, painter)
        (repainted,) = [json.loads(one) for one in reading.manifest(f"again-{batch}", "again")]
        assert (repainted["digest"], repainted["pixels"]) == (line["digest"], line["pixels"])
