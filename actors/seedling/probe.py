"""Judges the embedded model: `python -m actors.seedling.probe`.

A classifier is trained on freshly drawn pictures, and then says of painted ones what they show. It
has never seen a painted picture, so it cannot have learnt their mistakes. Its verdicts go to
`probe.json` beside the model, and from there to the card.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional

from actors.models.models import SEEDLING, find_model
from actors.models.schedulers import scheduler_config
from actors.painting.engine import Engine
from actors.recipes.recipe import Group, Recipe
from actors.seedling.captions import full_caption, random_subject
from actors.seedling.drawing import draw
from actors.seedling.planes import Picture
from actors.seedling.scenes import BACKDROPS, COLORS, FLAWS, PRODUCTS, Subject, random_scene

STEPS, GUIDANCE, BATCH = 20, 4.0, 8
JUDGED = 240
LIGHT_SEEDS, LIGHT_PROMPTS = 20, 12
_PROBE_SEED = 9_000_000  # far from the training set's

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Probe(nn.Module):
    """Five small convolutions and a head for each question."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 80, 112, 144)
        self.body = nn.Sequential(
            *itertools.chain.from_iterable(
                (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.SiLU())
                for a, b in itertools.pairwise(widths)
            ),
            nn.Flatten(),
        )
        features = widths[-1] * 4 * 4
        self.heads = nn.ModuleDict(
            {
                "product": nn.Linear(features, len(PRODUCTS)),
                "color": nn.Linear(features, len(COLORS)),
                "backdrop": nn.Linear(features, len(BACKDROPS)),
                "light": nn.Linear(features, 2),
                "flaws": nn.Linear(features, len(FLAWS)),
            }
        )

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Logits by question, of pictures in 0..1, [n, 3, 128, 128]."""
        features = self.body(pixels)
        return {name: head(features) for name, head in self.heads.items()}


def _example(index: int) -> tuple[Picture, list[int], list[float]]:
    rng = np.random.default_rng([_PROBE_SEED, index])
    subject, scene = random_subject(rng), random_scene(rng)
    answers = [
        PRODUCTS.index(subject.product),
        list(COLORS).index(subject.color),
        list(BACKDROPS).index(subject.backdrop),
        int(scene.light > 0),
    ]
    return draw(subject, scene), answers, [float(flaw in subject.flaws) for flaw in FLAWS]


def _tensor(pictures: list[Picture]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def train_probe(examples: int, epochs: int) -> tuple[Probe, dict[str, float]]:
    """A trained probe, and how often it is right on drawn pictures that it was not trained on."""
    drawn = [_example(k) for k in track(range(examples), "drawing for the probe")]
    pixels = _tensor([picture for picture, _, _ in drawn])
    answers = torch.tensor([row for _, row, _ in drawn])
    flaws = torch.tensor([row for _, _, row in drawn])
    held = examples // 10
    probe = Probe().train()
    steps = epochs * ((examples - held) // 64)
    optimizer = torch.optim.AdamW(probe.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(_PROBE_SEED)
    for _ in track(range(steps), "training the probe"):
        rows = torch.randint(held, examples, (64,), generator=generator)
        logits = probe(_soften(pixels[rows], generator))
        loss = functional.binary_cross_entropy_with_logits(logits["flaws"], flaws[rows])
        for k, name in enumerate(("product", "color", "backdrop", "light")):
            loss = loss + functional.cross_entropy(logits[name], answers[rows, k])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        optimizer.step()
        schedule.step()
    probe.eval()
    said = judge(probe, pixels[:held])
    right = {
        name: float((said[name] == answers[:held, k]).float().mean())
        for k, name in enumerate(("product", "color", "backdrop", "light"))
    }
    return probe, {**right, "flaws": float((said["flaws"] == flaws[:held].bool()).float().mean())}


def _soften(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A little blur and noise, as an autoencoder leaves them, so that the probe looks at shapes
    and not at crisp edges.
    """
    small = functional.avg_pool2d(pixels, 2)
    blurred = functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    share = torch.rand((len(pixels), 1, 1, 1), generator=generator)
    return (
        pixels * (1 - share)
        + blurred * share
        + 0.02 * torch.randn(pixels.shape, generator=generator)
    )


@torch.inference_mode()
def judge(probe: Probe, pixels: Tensor) -> dict[str, Tensor]:
    """The probe's verdicts: an index for each question, and true or false for each flaw."""
    parts = [probe(part) for part in torch.split(pixels, 64)]
    logits = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {
        name: value > 0 if name == "flaws" else value.argmax(1) for name, value in logits.items()
    }


def paint(engine: Engine, wanted: Sequence[tuple[str, str, int]], what: str) -> Tensor:
    """Paint (prompt, negative, seed) with the shipped model."""
    model = find_model("seedling")
    group = Group(
        model=model.digest,
        pipeline=model.pipeline,
        steps=STEPS,
        guidance=GUIDANCE,
        scheduler="ddim",
        scheduler_config=scheduler_config("ddim", model.scheduler_config),
        width=128,
        height=128,
        dtype="float32",
        batch=BATCH,
    )
    recipes = [
        Recipe(group=group, prompt=prompt, negative=negative, seed=seed)
        for prompt, negative, seed in wanted
    ]
    pictures: list[Picture] = []
    for start in track(range(0, len(recipes), BATCH), what):
        painted = engine.paint(recipes[start : start + BATCH], model.folder).pixels
        pictures += [
            picture if picture is not None else np.zeros((128, 128, 3), np.uint8)
            for picture in painted
        ]
    return _tensor(pictures)


def judge_subjects(
    probe: Probe, engine: Engine
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """How often what was asked for is seen; and how often each flaw is, without a negative prompt
    and with one that names all flaws.
    """
    every = [
        Subject(product=p, color=c, backdrop=b)
        for p, c, b in itertools.product(PRODUCTS, COLORS, BACKDROPS)
    ]
    subjects = [every[k % len(every)] for k in range(JUDGED)]
    prompts = [full_caption(subject) for subject in subjects]
    plain = judge(
        probe,
        paint(
            engine, [(prompt, "", seed) for seed, prompt in enumerate(prompts)], "plain prompts"
        ),
    )
    asked = {
        "product": torch.tensor([PRODUCTS.index(s.product) for s in subjects]),
        "color": torch.tensor([list(COLORS).index(s.color) for s in subjects]),
        "backdrop": torch.tensor([list(BACKDROPS).index(s.backdrop) for s in subjects]),
    }
    right = {name: float((plain[name] == answer).float().mean()) for name, answer in asked.items()}
    all_flaws = ", ".join(FLAWS.values())
    clean = judge(
        probe,
        paint(
            engine,
            [(prompt, all_flaws, seed) for seed, prompt in enumerate(prompts)],
            "all flaws negative",
        ),
    )
    return right, {"no negative": _rates(plain), "all named": _rates(clean)}


def judge_negatives(probe: Probe, engine: Engine) -> dict[str, dict[str, float]]:
    """How often each flaw is seen where nothing is asked for, by the flaw that the negative prompt
    names.

    Without a prompt the model paints as it has learnt to, flaws and all, which plain prompts alone
    hardly ever bring about.
    """
    runs = {"nothing": "", **FLAWS}
    return {
        name: _rates(
            judge(
                probe,
                paint(
                    engine,
                    [("", words, seed) for seed in range(JUDGED)],
                    f"negative: {words or 'none'}",
                ),
            )
        )
        for name, words in runs.items()
    }


def _rates(said: dict[str, Tensor]) -> dict[str, float]:
    return dict(zip(FLAWS, said["flaws"].float().mean(0).tolist(), strict=True))


def judge_light(probe: Probe, engine: Engine) -> float:
    """In what share of pairs of prompts with the same seed the light comes from the same side."""
    rng = np.random.default_rng(_PROBE_SEED)
    prompts = [full_caption(random_subject(rng)) for _ in range(LIGHT_PROMPTS)]
    wanted = [(prompt, "", seed) for seed in range(LIGHT_SEEDS) for prompt in prompts]
    sides = judge(probe, paint(engine, wanted, "locked seeds"))["light"].reshape(
        LIGHT_SEEDS, LIGHT_PROMPTS
    )
    pairs = list(itertools.combinations(range(LIGHT_PROMPTS), 2))
    return float(np.mean([float(row[a] == row[b]) for row in sides for a, b in pairs]))


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Where the verdicts go.")] = SEEDLING / "probe.json",
    examples: Annotated[
        int, typer.Option(help="Drawn pictures that the probe learns from.")
    ] = 12_000,
    epochs: int = 6,
    threads: int = 2,
) -> None:
    """Train the probe, paint with the shipped model, and write down what the probe sees."""
    torch.set_num_threads(threads)
    torch.manual_seed(_PROBE_SEED)
    probe, itself = train_probe(examples, epochs)
    engine = Engine(device="cpu", threads=threads)
    right, rates = judge_subjects(probe, engine)
    verdicts: dict[str, Any] = {
        "painted": JUDGED,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "right": right,
        "flaws_in_plain_prompts": rates,
        "flaws_by_negative": judge_negatives(probe, engine),
        "light_agrees": judge_light(probe, engine),
        "probe_on_drawn": itself,
    }
    verdicts = json.loads(json.dumps(verdicts), parse_float=lambda number: round(float(number), 4))
    text = json.dumps(verdicts, indent=2)
    out.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)


if __name__ == "__main__":
    app()
