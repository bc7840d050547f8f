"""What creative control costs beside painting: a worker's engine paints batches of the embedded
model, each picture is judged by every rule of a brand and measured from an anchor, steps are
looked at, and batches half of which drift are stopped early.

Each part has a function that measures one round and returns its figures by their names. The ratios
are those of processor time to the processor time of painting, on one thread each, in turn.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from actors.models.models import find_model
from actors.painting.engine import Engine
from actors.pictures.drift import drift, layout_of
from actors.pictures.files import Pixels, preview
from actors.pictures.rules import judge
from actors.recipes.previews import Decode, Previews, step_at
from actors.recipes.recipe import Recipe
from actors.recipes.rules import CopySpace, Palette, Rules, SafeArea
from farm.bench.approving import approvals
from farm.bench.figures import Json, machine, spreads
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion

STEPS = 20
_LOOKS = (0.2, 0.4, 0.6, 0.8)
RULES = Rules(
    copy_space=CopySpace(side="top", share=0.25, busy=0.02),
    safe_area=SafeArea(margin=0.05, outside=0.08),
    no_border=True,
    clipped_at_most=0.02,
    sharpness_at_least=0.1,
    palette=Palette(colors=((214, 40, 40), (0, 48, 73)), within=12, share=0.05),
)


def measure(*, rounds: int, proofs: int) -> Json:
    """Paint and judge `rounds` batches, after one that is not counted; approve `proofs` proofs."""
    engine = Engine(device="cpu", threads=1)
    found = [_round(engine, k) for k in range(rounds + 1)][1:]
    setup = {"rounds": rounds, "proofs": proofs, "steps": STEPS, "model": "seedling", "rules": 6}
    on = machine(workers=1, threads=1)
    return {
        "bench": "creative",
        "machine": on,
        "setup": setup,
        "figures": {**spreads(found), **spreads([approvals(proofs)])},
        "peers": {},
    }


def _round(engine: Engine, k: int) -> dict[str, float]:
    expansion = _expansion(k)
    batch = [expansion.recipe(group_no, render) for group_no, render in expansion.all_renders()]
    began = time.process_time()
    painted = engine.paint(batch, expansion.model.folder)
    paint_s = time.process_time() - began
    pixels = [picture for picture in painted.pixels if picture is not None]
    folder = expansion.model.folder
    return {
        **_rules(pixels, paint_s),
        **_drift(pixels, paint_s),
        **_previews(engine, batch, folder, paint_s),
        **_stopping(engine, batch, folder, paint_s),
    }


def _drift(pictures: Sequence[Pixels], paint_s: float) -> dict[str, float]:
    anchor = layout_of(pictures[0])
    began = time.process_time()
    for picture in pictures:
        drift(layout_of(picture), anchor)
    drift_s = time.process_time() - began
    return {"drift_share_of_painting": drift_s / paint_s}


def _previews(
    engine: Engine, batch: Sequence[Recipe], folder: str, paint_s: float
) -> dict[str, float]:
    """Four looks at each picture, decoded and encoded as they are stored. Their own time is
    measured: between two runs of a batch, painting differs by more.
    """
    pipeline = next(reversed(engine.warm.values())).pipeline
    found = {}
    for decode, way in ((Decode.FULL, "decode"), (Decode.FAST, "glance")):
        spent = _Spent()

        def encode(_step: int, pictures: Sequence[Pixels | None], spent: _Spent = spent) -> None:
            with spent:
                for pixels in pictures:
                    if pixels is not None:
                        preview(pixels)

        before = getattr(pipeline, way)
        setattr(pipeline, way, spent.timed(before))
        try:
            previews = Previews(at=_LOOKS, decode=decode)
            engine.paint(batch, folder, previews, on_preview=encode)
        finally:
            delattr(pipeline, way)
        found[f"previews_{decode}_share"] = spent.seconds / paint_s
    return found


class _Spent:
    """Processor time spent within it, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*given: object) -> Any:
            with self:
                return call(*given)

        return within


def _stopping(
    engine: Engine, batch: Sequence[Recipe], folder: str, paint_s: float
) -> dict[str, float]:
    """Two batches whose first steps are made, and one of their survivors: what that saves of
    painting both.
    """
    began = time.process_time()
    until = step_at(0.4, STEPS)
    halves = [engine.paint(batch, folder, until=until).parked for _ in range(2)]
    middle = len(batch) // 2
    parked = [*halves[0][:middle], *halves[1][middle:]]
    engine.paint(batch, folder, parked=parked)
    return {"stop_saves_of_painting": 1 - (time.process_time() - began) / (2 * paint_s)}


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
