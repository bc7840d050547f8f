"""Qwen-Image that edits pictures: its encoder sees them beside the prompt."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit as one_picture
import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as several
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BatchFeature,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
)

from actors.models.family import Family
from actors.painting.loaded_pipeline import Embedding
from actors.painting.talking_encoders import QwenImage
from actors.pictures.files import Pixels
from actors.recipes.recipe import Group, Recipe

_IMAGE = "<|image_pad|>"
_AREA = 1024 * 1024
# Of canaries, which are edits of nothing: these pipelines cannot paint without a picture.
_NOTHING = np.repeat(np.arange(0, 256, 8, dtype=np.uint8), 32 * 3).reshape(32, 32, 3)


class PictureReader:
    """What Qwen2VLProcessor makes of texts with pictures in them. transformers has that class only
    beside torchvision, since it reads videos, too.
    """

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor

    def __call__(
        self,
        *,
        text: Sequence[str],
        images: Image.Image | Sequence[Image.Image] | None = None,
        **how: Any,
    ) -> BatchFeature:
        """The tokens of texts, with as many in the place of each picture as it has patches, and
        the patches.
        """
        if images is None:
            return BatchFeature(self.tokenizer(list(text), **how))
        seen = self.image_processor(images=images, return_tensors="pt")
        patches = seen["image_grid_thw"].prod(dim=1) // self.image_processor.merge_size**2
        counts = iter(patches.tolist())
        spread = [_spread(one, counts) for one in text]
        return BatchFeature({**self.tokenizer(spread, **how), **seen})


def _spread(text: str, counts: Any) -> str:
    """A text with each picture's token as often as it has patches."""
    first, *others = text.split(_IMAGE)
    return first + "".join(_IMAGE * next(counts) + other for other in others)


class PlacedPictures(Qwen2_5_VLForConditionalGeneration):  # type: ignore[misc]  # untyped
    """Knows which tokens are pictures. Without being told, transformers 5 gives these the places
    of words, and diffusers does not tell it (github.com/huggingface/diffusers/issues/14194).
    """

    def forward(self, input_ids: Tensor, **more: Any) -> Any:
        kinds = (input_ids == self.config.image_token_id).int()
        return super().forward(input_ids=input_ids, mm_token_type_ids=kinds, **more)


class QwenImageEditPlus(QwenImage):
    """Sees up to three pictures, each at 384x384 pixels or as many in its own shape."""

    def __init__(self, family: Family, pipe: Any) -> None:
        super().__init__(family, pipe)
        pipe.text_encoder.__class__ = PlacedPictures

    @classmethod
    def own_parts(cls, folder: Path) -> dict[str, Any]:
        place = folder / "processor"
        reads = Qwen2Tokenizer.from_pretrained(place, local_files_only=True)
        # Pillow brings pictures to size, whether torchvision is there or not: one result anywhere.
        sees = Qwen2VLImageProcessorPil.from_pretrained(place, local_files_only=True)
        return {"processor": PictureReader(reads, sees)}

    def reading(self, recipe: Recipe, references: Mapping[str, Pixels]) -> Mapping[str, Any]:
        seen = [Image.fromarray(references[name]) for name in recipe.edit]
        return {**super().reading(recipe, references), "seen": seen}

    def read_beside(self, recipe: Recipe) -> tuple[Hashable, ...]:
        return (*super().read_beside(recipe), recipe.edit)

    def embed(
        self,
        text: str,
        *,
        is_negative: bool,  # noqa: ARG002
        seen: Sequence[Image.Image] = (),
    ) -> Embedding:
        pictures = [self._looked_at(image) for image in seen]
        embeds, _ = self.pipe.encode_prompt(text, self._shown(pictures), self.pipe.device)
        mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=embeds.device)
        return {"prompt_embeds": embeds, "prompt_embeds_mask": mask}

    def _looked_at(self, image: Image.Image) -> Image.Image:
        """A picture at the size at which the encoder sees it."""
        shape = several.calculate_dimensions(several.CONDITION_IMAGE_SIZE, _ratio(image))
        return self._resized(image, *shape)

    def _resized(self, image: Image.Image, width: int, height: int) -> Image.Image:
        resized: Image.Image = self.pipe.image_processor.resize(image, height, width)
        return resized

    def _shown(self, pictures: list[Image.Image]) -> Any:
        """The pictures as the pipeline's `encode_prompt` takes them."""
        return pictures or None

    def _edited(self, pictures: Sequence[Image.Image], group: Group) -> dict[str, Any]:  # noqa: ARG002
        return {"image": list(pictures) or [Image.fromarray(_NOTHING)]}


class QwenImageEdit(QwenImageEditPlus):
    """Sees one picture, at about a megapixel."""

    def _looked_at(self, image: Image.Image) -> Image.Image:
        width, height, _ = one_picture.calculate_dimensions(_AREA, _ratio(image))
        return self._resized(image, width, height)

    def _shown(self, pictures: list[Image.Image]) -> Any:
        return pictures[0] if pictures else self._looked_at(Image.fromarray(_NOTHING))

    def _edited(self, pictures: Sequence[Image.Image], group: Group) -> dict[str, Any]:
        (picture,) = super()._edited(pictures, group)["image"]
        return {"image": picture}


def _ratio(image: Image.Image) -> float:
    return image.width / image.height
