"""The IP-Adapter of a warm pipeline: the one used last. It is taken off for groups that are to be
like no picture, so that they are painted as if it had never been there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPImageProcessorPil

from actors.models.ip_adapters import ENCODER, ENCODER_KIND, ip_adapter_digest, ip_adapter_files
from actors.painting.embeddings import Embeddings
from actors.painting.loaded_pipeline import LoadedPipeline
from actors.painting.loading import load_model
from actors.painting.memory import bytes_of
from actors.painting.parts import Part
from actors.painting.shapes import by_part
from actors.pictures.files import Pixels, pixels_digest
from actors.recipes.errors import LoadFailed
from actors.recipes.recipe import Likeness

_PART = Part("IP-Adapter", ip_adapter_digest, ip_adapter_files)


class IpAdapters:
    """Loads the IP-Adapter of one pipeline, which keeps it."""

    kind = _PART.kind

    def __init__(self, pipeline: LoadedPipeline, dtype: torch.dtype) -> None:
        self._pipeline, self._dtype = pipeline, dtype
        self._digest: str | None = None
        self._encoder: Any | None = None
        self._worn: tuple[dict[str, Any], Any, Any] | None = None
        self._bare: tuple[dict[str, Any], Any, Any] | None = None
        """The parts of the denoiser that it takes the place of; None if they are in place."""
        self._seen = Embeddings()

    @property
    def bytes(self) -> int:
        """Of its weights."""
        if self._worn is None:
            return 0
        processors, projection, _ = self._worn
        return bytes_of([self._encoder, projection, *processors.values()])

    def has(self, likeness: Likeness) -> bool:
        return likeness.digest == self._digest

    def coming(self, folder: Path) -> int:
        """About how many bytes that of a folder will take once it is loaded. Raises PartMissing if
        it cannot be loaded here.
        """
        return _PART.coming(folder, self._dtype)

    def forget(self) -> None:
        """Let it go, before another comes: both need not be in memory at once."""
        self.take_off()
        self._digest = self._encoder = self._worn = None
        self._seen = Embeddings()

    def load(self, likeness: Likeness, folder: Path) -> None:
        """Have that one. Raises PartMissing if it cannot be loaded here, and WeightsChanged if it
        is not the one that the campaign was submitted with.
        """
        self.forget()
        denoiser, before = self._pipeline.denoiser, self._parts()
        with _PART.reading(folder, likeness.digest):
            encoder = load_model(folder / ENCODER, "transformers", ENCODER_KIND, self._dtype)
            if encoder is None:
                raise LoadFailed(f"its {ENCODER}/ has no weights.")
            try:
                # What `load_ip_adapter` of a pipeline does, without what else it changes there.
                denoiser._load_ip_adapter_weights(
                    [by_part(load_file(next(ip_adapter_files(folder))))], low_cpu_mem_usage=False
                )
                self._worn = self._parts()
            finally:
                self._put(before)
        self._encoder = encoder.to(denoiser.device).eval()
        self._digest = likeness.digest

    def put_on(self, likeness: Likeness) -> None:
        """Have renders be like pictures, as strongly and in as many layers as a group says."""
        assert self._worn is not None
        layers = self._pipeline.family.likenesses[likeness.of]
        for name, processor in self._worn[0].items():
            if hasattr(processor, "to_k_ip"):
                processor.scale = [likeness.scale if name.startswith(layers) else 0.0]
        if self._bare is None:
            self._bare = self._parts()
        self._put(self._worn)
        self._pipeline.likeness = self.given

    def take_off(self) -> None:
        """Have the denoiser as it was."""
        if self._bare is not None:
            self._put(self._bare)
            self._bare = None
        self._pipeline.likeness = None

    def given(self, pictures: Sequence[Pixels]) -> Callable[..., list[Tensor]]:
        """What a pipeline asks for in the place of `prepare_ip_adapter_image_embeds`. Its own
        gives all pictures of a batch the likeness of one.
        """
        seen = [self._embedding(picture) for picture in pictures]

        def prepared(*how: Any) -> list[Tensor]:
            *_, is_guided = how
            kinds = ("without", "with") if is_guided else ("with",)
            return [torch.cat([one[kind] for kind in kinds for one in seen])]

        return prepared

    def _embedding(self, picture: Pixels) -> dict[str, Tensor]:
        """What the encoder sees in a picture, one at a time: [1, 1, ...], and the same of none."""
        return self._seen.get(pixels_digest(picture), lambda: self._seen_in(picture))

    @torch.inference_mode()
    def _seen_in(self, picture: Pixels) -> dict[str, Tensor]:
        assert self._encoder is not None
        assert self._worn is not None
        side = self._encoder.config.image_size
        # The usual way of CLIP: the shorter side is brought to what it sees, and of the longer
        # side the middle is kept. By Pillow, whatever else is installed.
        reader = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        pixels = reader(Image.fromarray(picture), return_tensors="pt").pixel_values
        pixels = pixels.to(self._encoder.device, self._dtype)
        projection = self._worn[1].image_projection_layers[0]
        if type(projection).__name__ == "ImageProjection":
            found = self._encoder(pixels).image_embeds
            none = torch.zeros_like(found)
        else:
            found, none = (
                self._encoder(seen, output_hidden_states=True).hidden_states[-2]
                for seen in (pixels, torch.zeros_like(pixels))
            )
        return {"with": found[None], "without": none[None]}

    def _parts(self) -> tuple[dict[str, Any], Any, Any]:
        """The parts of the denoiser that an IP-Adapter takes the place of."""
        denoiser = self._pipeline.denoiser
        # Some projections have processors of their own, which would count as the denoiser's.
        projection, denoiser.encoder_hid_proj = denoiser.encoder_hid_proj, None
        processors = dict(denoiser.attn_processors)
        denoiser.encoder_hid_proj = projection
        return processors, projection, denoiser.config.encoder_hid_dim_type

    def _put(self, parts: tuple[dict[str, Any], Any, Any]) -> None:
        denoiser = self._pipeline.denoiser
        processors, projection, kind = parts
        denoiser.encoder_hid_proj = None
        denoiser.set_attn_processor(dict(processors))
        denoiser.encoder_hid_proj = projection
        denoiser.config.encoder_hid_dim_type = kind
