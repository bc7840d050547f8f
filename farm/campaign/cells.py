"""What the cells of a campaign stand for: the texts and the settings that their values choose."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from farm.campaign.axes import Axis, Scalar
from farm.campaign.brand import Brand
from farm.campaign.schema import Campaign
from farm.campaign.settings import Settings, settings_of
from farm.campaign.shots import Shot
from farm.campaign.sources import EDITS, FILES, NONE, Sources
from farm.campaign.template import Template
from farm.campaign.texts import filled


class Cells:
    """The cells of a campaign, each the index of its value on every axis."""

    def __init__(
        self,
        campaign: Campaign,
        axes: Sequence[Axis],
        sources: Sources,
        derivation: int,
        brand: Brand | None,
    ) -> None:
        self._campaign = campaign
        self._axes = axes
        self._sources = sources
        self.derivation = derivation
        self._brand = brand
        reference, control, likeness = campaign.reference, campaign.control, campaign.likeness
        self._constant_files = {
            "reference": reference.image if reference else None,
            "reference_mask": reference.mask if reference else None,
            "control_image": control.image if control else None,
            "likeness_image": likeness.image if likeness else None,
            **dict(zip_longest(EDITS, campaign.edit)),
        }
        self._prompt = Template(campaign.prompt)
        self._negative = Template(campaign.negative)

    def shot(self, cell: Sequence[int]) -> Shot:
        here = list(zip(self._axes, cell, strict=True))
        values: dict[str, Scalar] = {}
        for axis, index in here:
            values.update(axis.assignments(index))
        named = {**self._constant_files, **values}
        files = {
            name: None if named[name] in (None, NONE) else str(named[name])
            for name in self._constant_files
        }
        return Shot(
            coordinates={axis.name: axis.values[index] for axis, index in here},
            by_content={axis.name: by_content(axis, index, self._sources) for axis, index in here},
            prompt=filled(self._prompt, values, self._campaign),
            negative=self.negative(values),
            reference=files["reference"],
            mask=files["reference_mask"],
            control_image=files["control_image"],
            likeness_image=files["likeness_image"],
            edit=tuple(address for name in EDITS if (address := files[name]) is not None),
            derivation=self.derivation,
        )

    def negative(self, values: Mapping[str, object]) -> str:
        """The negative prompt of a cell with these values, to which its brand's is added."""
        own = filled(self._negative, values, self._campaign)
        always = self._brand.negative if self._brand else ""
        return ", ".join(filter(None, (own, always)))

    def settings(self, cell: Sequence[int]) -> Settings:
        reference, control = self._campaign.reference, self._campaign.control
        changes: dict[str, Any] = dict(self._constant_files)
        if reference is not None:
            changes["strength"] = reference.strength
        if control is not None:
            changes |= {"control_scale": control.scale, "control_kind": control.kind}
        if (likeness := self._campaign.likeness) is not None:
            changes |= {"likeness_scale": likeness.scale, "likeness_of": likeness.of}
        if (upscale := self._campaign.upscale) is not None:
            changes["upscale_by"] = upscale.by
        for axis, index in zip(self._axes, cell, strict=True):
            changes.update(settings_of(axis, index))
        return Settings.model_validate({**self._campaign.settings.model_dump(), **changes})


def by_content(axis: Axis, index: int, sources: Sources) -> Any:
    """A value of an axis, with the digests of files in place of their addresses."""
    value = axis.values[index]
    return sources.by_content(axis.name, value) if axis.variables & FILES else value
