"""What creative control costs beside painting: a worker's engine paints batches of the embedded
model, and each picture is judged by every rule of a brand.

Each part has a function that measures one round and returns its figures by their names. The ratio
is that of processor time for judging to processor time for painting, on one thread each, in turn.
"""

import time
from collections.abc import Sequence

from actors.models.models import find_model
from actors.painting.engine import Engine
from actors.pictures.files import Pixels
from actors.pictures.rules import judge
from actors.recipes.rules import CopySpace, Palette, Rules, SafeArea
from farm.bench.figures import Json, machine, spreads
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion

STEPS = 20
RULES = Rules(
    copy_space=CopySpace(side="top", share=0.25, busy=0.02),
    safe_area=SafeArea(margin=0.05, outside=0.08),
    no_border=True,
    clipped_at_most=0.02,
    sharpness_at_least=0.1,
    palette=Palette(colors=((214, 40, 40), (0, 48, 73)), within=12, share=0.05),
)


def measure(*, rounds: int) -> Json:
    """Paint and judge `rounds` batches, after one that is not counted."""
    engine = Engine(device="cpu", threads=1)
    found = [_round(engine, k) for k in range(rounds + 1)][1:]
    setup = {"rounds": rounds, "steps": STEPS, "model": "seedling", "rules": 6}
    on = machine(workers=1, threads=1)
    return {
        "bench": "creative",
        "machine": on,
        "setup": setup,
        "figures": spreads(found),
        "peers": {},
    }


def _round(engine: Engine, k: int) -> dict[str, float]:
    expansion = _expansion(k)
    batch = [expansion.recipe(group_no, render) for group_no, render in expansion.all_renders()]
    began = time.process_time()
    painted = engine.paint(batch, expansion.model.folder)
    paint_s = time.process_time() - began
    pixels = [picture for picture in painted.pixels if picture is not None]
    return _rules(pixels, paint_s)


def _rules(pictures: Sequence[Pixels], paint_s: float) -> dict[str, float]:
    began = time.process_time()
    for picture in pictures:
        judge(picture, RULES)
    judge_s = time.process_time() - began
    return {
        "rules_share_of_painting": judge_s / paint_s,
        "rules_ms_per_picture": 1000 * judge_s / len(pictures),
        "paint_ms_per_picture": 1000 * paint_s / len(pictures),
    }


def _expansion(k: int) -> Expansion:
    """A batch of the embedded model with a seed of its own."""
    model = find_model("seedling")
    colors = ["red", "blue", "yellow", "green", "white", "black", "purple", "orange"]
    campaign = parse_campaign(
        {
            "name": "creative",
            "model": "seedling",
            "prompt": "a {color} mug in a studio",
            "negative": "film grain",
            "vary": {"color": colors[: model.batch]},
            "settings": {"steps": STEPS, "guidance": 4.0},
            "seeds": [k],
        }
    )
    return Expansion(campaign, model)
