"""Campaigns with pictures, painted in this process: small ones that differ, with their recipes."""

import hashlib
from collections import OrderedDict

import numpy as np
from PIL import Image

from actors.painting.engine import Painted
from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from actors.recipes.previews import preview_steps
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.queue import Queue
from storage.settling import Settling
from tests.farm.resting import paint_queued

SIDE = 96
PROOFED = {
    "prompt": "a {color} mug on a {place}",
    "vary": {"color": ["red", "blue"], "place": ["beach", "desk", "shelf"]},
    "seeds": [11, 12],
    "proof": {"steps": 4},
}
"""Twelve renders of six shots, with proofs."""


class DrawingEngine(RestingEngine):
    """Draws a disc before a ground, by the recipe, with more noise in earlier steps."""

    def __init__(self):
        super().__init__(0.0)

    def paint(self, recipes, folder, previews=None, *, on_preview=lambda *_: None, **options):
        group = recipes[0].group
        self.warm = OrderedDict({(group.model, group.dtype): None})
        for step in preview_steps(previews, group.steps_made):
            noise = 1 - step / group.steps_made
            on_preview(step, [drawn(recipe, noise) for recipe in recipes])
        pixels = [drawn(recipe) for recipe in recipes]
        return Painted(pixels=pixels, parked=(), load_s=0.0, paint_s=0.0, loads=0)


def drawn(recipe, noise=0.0):
    seed = np.frombuffer(hashlib.sha256(recipe.prompt.encode()).digest(), np.uint8)
    chance = np.random.default_rng(recipe.seed)
    top, bottom = seed[:3].astype(float), seed[3:6] * 0.5
    share = np.linspace(0, 1, SIDE)[:, None, None]
    ground = (1 - share) * top + share * bottom + np.zeros((SIDE, SIDE, 3))
    x, y, radius = chance.uniform([0.35, 0.35, 0.16], [0.65, 0.65, 0.3]) * SIDE
    down, across = np.mgrid[0:SIDE, 0:SIDE]
    ground[(across - x) ** 2 + (down - y) ** 2 < radius**2] = seed[6:9]
    grain = chance.normal(0, 1, ground.shape) * (4 + 120 * noise)
    return np.clip(ground + grain, 0, 255).astype(np.uint8)


def paint(settings, name="spring", *, proofs=False, project="default"):
    """Paint all that is queued of a campaign, or of its proofs; returns the numbers painted."""
    painter = Painter("w", DrawingEngine(), settings.open_outputs())
    with closing_engine(settings.database_address) as database:
        campaigns = Campaigns(database)
        row = campaigns.get(project, name)
        row = campaigns.proofs_of(row) if proofs else row
        return paint_queued(Queue(database), Settling(database), row, painter)


def save_reference(path):
    """A picture that others can begin from."""
    Image.new("RGB", (SIDE, SIDE), "teal").save(path)
    return str(path)
