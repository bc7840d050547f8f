"""A row of the table of families: what the pipelines of one class take. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.recipes.guidance import GuidanceKind


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The tokenizer of the text encoder that reads most of a prompt, and what cuts it off there,
    if not the tokenizer's own length.
    """

    tokenizer: str
    tokens: int | None = None
    instruction: str | None = None
    """The file of its pipeline in diffusers, and the name in it, of a text that is read before
    each prompt and takes room from it, like `flux2/system_messages.py:SYSTEM_MESSAGE`.
    """


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the pipelines of one class take."""

    name: str
    pipeline: str
    """Its text-to-image class in diffusers."""
    image_to_image: str | None = None
    """Its class that begins from a picture, if there is one."""
    inpaint: str | None = None
    """Its class that paints a part of a picture anew, if there is one."""
    controlled: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By the names of those classes, the ones that do the same with a ControlNet beside them."""
    united: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Likewise, with a union of several ControlNets."""
    likenesses: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By the parts of a picture's likeness that an IP-Adapter can bring, how the names of the
    layers begin that bring it. None where it takes no IP-Adapter.
    """
    denoiser: str = "transformer"
    weights: tuple[str, ...] = ()
    """The folders whose weights are needed for painting."""
    taken_out: tuple[str, ...] = ()
    """Texts that the pipeline would take out of a prompt without a word."""
    has_negative: bool = True
    has_guidance: bool = True
    guidance: float | None
    """What a campaign gets that names none; None where there is no guidance, or where a campaign
    must name it.
    """
    guidance_kind: GuidanceKind = GuidanceKind.STANDARD
    guidance_key: str | None = None
    """What the denoiser's config must say for it to have guidance: some members of a family are
    distilled without.
    """
    schedulers: tuple[str, ...]
    """The first is its own, which a campaign gets that names none."""
    from_reference: tuple[str, ...] | None = None
    """Those of its schedulers with which it can begin from a reference; None if all can."""
    is_flow: bool = False
    """Whether its models follow straight paths from noise to picture."""
    noise: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What a scheduler config of its models means by keys that it does not have, if that is not
    what its class assumes.
    """
    multiple_of: int = 8
    """Of what a picture's sides must be multiples: what a latent pixel covers, times the patch
    that the denoiser takes at once.
    """
    sample_size: int = 64
    """Latent pixels a side that it was trained at, if the denoiser's config does not say."""
    left_out: tuple[str, ...] = ("safety_checker", "feature_extractor", "image_encoder")
    """Components that a model may come with and that are never loaded: none has a part in a
    picture made from a prompt.
    """
    readers: tuple[Reader, ...] = ()
    """The first that a model has decides how long a prompt may be. What other encoders cut off,
    this one still reads.
    """
    adapted: tuple[str, ...] = ()
    """The components that diffusers lays adapters over, the denoiser first; none where it takes no
    adapters.
    """
    edits: int = 0
    """How many pictures it can make one of, by an instruction; none if it edits none."""
    only_edits: bool = False
    """Whether it paints nothing but edits."""
    edit_side: int = 16
    """The fewest pixels that a side of such a picture may have."""
    edit_ratio: float = 8.0
    """How many times as long as the other a side of it may be."""
    has_previews: bool = True
    max_batch: int | None = None
    unpaintable: str | None = None
    """What the denoiser's config must not say, since the pipeline and the denoiser of diffusers
    disagree about it.
    """

    @property
    def takes_adapters(self) -> bool:
        return bool(self.adapted)

    @property
    def all_controlled(self) -> tuple[str, ...]:
        """Its classes with a ControlNet of any kind beside them."""
        return (*self.controlled.values(), *self.united.values())

    def paints_parts(self, pipeline: str) -> bool:
        """Whether that class, of this family, paints a part of a picture anew."""
        inpaint = self.inpaint or ""
        return pipeline in (inpaint, self.controlled.get(inpaint), self.united.get(inpaint))


def guidance_of(family: Family, denoiser_config: Mapping[str, Any]) -> float | None:
    """The guidance of a model that a campaign gets that names none, or None where the model has no
    guidance.
    """
    return family.guidance if takes_guidance(family, denoiser_config) else None


def takes_guidance(family: Family, denoiser_config: Mapping[str, Any]) -> bool:
    """Whether guidance can be told to a model of a family whose denoiser has that config."""
    return family.has_guidance and (
        not family.guidance_key or bool(denoiser_config.get(family.guidance_key))
    )
