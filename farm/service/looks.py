"""Pictures that belong to a render beside its own: the looks at its steps, and the picture that it
begins from. All are WebP, whatever they were.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from actors.pictures.files import MAX_FILE, Pixels
from actors.pictures.reference import MAX_BYTES, read_reference
from farm.campaign.specs import expansion_of
from farm.results.manifest import manifest_line, planned_line
from farm.service.control import check_number
from farm.service.render_reading import at_stage, step_of
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.keys import reference_key
from storage.reviews import Reviews
from storage.states import Stage
from storage.store import Outputs

_QUALITY = 90


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture's file as a browser can show it. `version` changes with the picture."""

    data: bytes
    version: str
    kind: str = "image/webp"


class Looks:
    """Reads such pictures of a farm's campaigns."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews, outputs: Outputs) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._outputs = outputs

    def step(
        self,
        project: str,
        name: str,
        number: int,
        stage: Stage,
        step: int,
        version: int | None = None,
    ) -> Shown:
        """The look at a render after one of its steps."""
        campaign = at_stage(self._campaigns, project, name, stage, version)
        line = manifest_line(self._campaigns, self._reviews, campaign, number)
        key = next((key for key in line["previews"] if step_of(key) == step), None)
        if key is None:
            raise NotFound(f"Render {number} of {name} keeps no look at step {step}.")
        data = self._outputs.read(key, MAX_FILE)
        if data[:4] + data[8:12] != b"RIFFWEBP":
            raise NotFound(f"{key} is no picture any more: `farm verify` looks at all files.")
        return Shown(data=data, version=f"{line['digest']}-{step}")

    def reference(self, project: str, name: str, number: int) -> Shown:
        """The picture that a render begins from, or the first that it is an edit of, or the one
        that it is to be like, upright and in sRGB.
        """
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        check_number(expansion, campaign, number)
        line = planned_line(campaign, expansion, number)
        begins_from = line["reference"] or next(iter(line["edit"]), line["likeness_image"])
        if begins_from is None:
            raise NotFound(f"Render {number} of {name} begins from no picture.")
        digest = begins_from["digest"]
        data = self._outputs.read(reference_key(project, digest), MAX_BYTES)
        return Shown(data=_webp(read_reference(data)), version=digest)


def _webp(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()
