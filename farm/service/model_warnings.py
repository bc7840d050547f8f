"""What a model makes of a campaign that may not be meant: negative prompts without effect, and
sizes that it was not trained at.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from actors.models.families import is_known
from actors.models.traits import Traits
from farm.campaign.expansion import Expansion
from farm.campaign.prompt_texts import PromptTexts
from farm.campaign.settings import Settings, settings_of
from farm.campaign.texts import place
from farm.documents.document import Problem
from farm.documents.parsed import Path_
from farm.service.fit import campaign_traits

_SQUARE_ONLY = frozenset({"StableDiffusionPipeline"})
"""Trained at one size. The other families saw many shapes of about the same number of pixels."""
_ANY_AREA = {"FluxPipeline": (0.1, 2.0)}
_AREA = (0.75, 1.34)
"""The least and the most pixels that a family was trained at, as shares of those of its own
size.
"""
_LONGEST = 4.0  # times the shorter side: the longest shape that Stable Diffusion XL was trained at


def model_warnings(expansion: Expansion) -> list[Problem]:
    """What whoever submits a campaign should be told about its model, each at its place in the
    file.
    """
    return [*_idle_negatives(expansion, campaign_traits(expansion)), *_strange_sizes(expansion)]


def _idle_negatives(expansion: Expansion, traits: Traits) -> Iterator[Problem]:
    """Guidance that is none, for renders that have a negative prompt."""
    if not traits.has_negative or traits.guidance_off is None:
        return
    negatives = _Negatives(expansion)
    for guidance, cells in _choices(expansion, "guidance").items():
        value = expansion.model.guidance if guidance is None else guidance
        if not isinstance(value, int | float) or value > traits.guidance_off:
            continue
        path = next((path for path, chosen in cells if negatives.any(chosen)), None)
        if path is not None:
            whose = "the model's own guidance" if guidance is None else "guidance"
            yield Problem(
                path if guidance is not None else ("negative",),
                f"{whose} {value:g} is none, so that the negative prompt has no effect: raise it"
                f" above {traits.guidance_off:g}, or leave the negative prompt out.",
            )


def _strange_sizes(expansion: Expansion) -> Iterator[Problem]:
    """Sizes that the model was not trained at. Those of pipelines without a row of their own are
    not known.
    """
    if not is_known(expansion.family):
        return
    width, height = expansion.model.size
    for size, cells in _choices(expansion, "size").items():
        if not isinstance(size, tuple) or _is_usual(size, expansion):
            continue
        path = next((path for path, chosen in cells if expansion.skipping.leaves(chosen)), None)
        if path is not None:
            yield Problem(
                path,
                f"the model {expansion.model.name} was trained at {width}x{height}, not at"
                f" {size[0]}x{size[1]}: pictures may repeat or deform what they show.",
            )


def _is_usual(size: tuple[int, int], expansion: Expansion) -> bool:
    own = expansion.model.size
    if size == own or expansion.family.pipeline in _SQUARE_ONLY:
        return size == own
    least, most = _ANY_AREA.get(expansion.family.pipeline, _AREA)
    share = size[0] * size[1] / (own[0] * own[1])
    return least <= share <= most and max(size) <= _LONGEST * min(size)


def _choices(
    expansion: Expansion, name: str
) -> dict[object, list[tuple[Path_, dict[int, list[int]]]]]:
    """What renders have of a setting, None for the model's own: each time that the file says it,
    where, and for which cells.
    """
    own = getattr(expansion.campaign.settings, name)
    for at, axis in enumerate(expansion.axes):
        if name in axis.variables:
            found: dict[object, list[tuple[Path_, dict[int, list[int]]]]] = {}
            for index in range(len(axis.values)):
                chosen = getattr(Settings.model_validate(settings_of(axis, index)), name)
                path = ("settings", name) if chosen is None else place(axis, index, name)
                found.setdefault(own if chosen is None else chosen, []).append(
                    (path, {at: [index]})
                )
            return found
    return {own: [(("settings", name), {})]}


@dataclass(frozen=True)
class _Negatives:
    """The negative prompts of a campaign, as far as it counts whether a render has one."""

    expansion: Expansion

    def any(self, chosen: Mapping[int, Collection[int]]) -> bool:
        """Whether any render of some cells has a negative prompt that is not empty."""
        leaves = self.expansion.skipping.leaves
        if self._texts.frame.strip():
            return leaves(chosen)
        both = (
            {**chosen, at: words.intersection(chosen[at]) if at in chosen else words}
            for at, words in self._worded.items()
        )
        return any(all(each.values()) and leaves(each) for each in both)

    @cached_property
    def _texts(self) -> PromptTexts:
        return PromptTexts(self.expansion, "negative")

    @cached_property
    def _worded(self) -> dict[int, set[int]]:
        """By the place of each axis that the template uses, the values that have words."""
        texts = self._texts
        return {
            at: {
                index
                for k, (_, indices) in enumerate(values)
                if k not in blank
                for index in indices
            }
            for (at, _), values, blank in zip(texts.axes, texts.values, texts.blanks, strict=True)
        }
