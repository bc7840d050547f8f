"""The addresses of files in a campaign, and in its data before it is checked, wherever they stand.
Pure.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from farm.campaign.schema import Campaign
from farm.campaign.sources import EDITS, FILES, NONE
from farm.documents.parsed import Path_

_REFERENCES = {
    key: {"image", "mask", "reference", "edit", *(FILES - {"lora"})}
    for key in ("reference", "control", "likeness", "edit", "vary", "skip")
}
_BESIDE = {key: {"model"} for key in ("control", "likeness", "upscale")}
_ADAPTERS = {key: {"lora"} for key in ("adapters", "vary", "skip")}


@dataclass(frozen=True)
class Named:
    """A file that a campaign names: where it says so, in what part, and how."""

    path: Path_
    kind: str
    address: str


def named_files(campaign: Campaign) -> Iterator[Named]:
    """Every file that a campaign names, as often as it does. A ControlNet is none of them, nor is
    an IP-Adapter.
    """
    yield from _constant(campaign)
    for axis in campaign.axes:
        for kind in sorted(axis.variables & FILES):
            for index in range(len(axis.values)):
                address = str(axis.assignments(index)[kind])
                if address != NONE:
                    yield Named(("vary", axis.name, index), kind, address)


def _constant(campaign: Campaign) -> Iterator[Named]:
    """Those of all renders."""
    reference = campaign.reference
    if reference is not None:
        yield Named(("reference", "image"), "reference", reference.image)
        if reference.mask is not None:
            yield Named(("reference", "mask"), "reference_mask", reference.mask)
    for key, beside in (("control", campaign.control), ("likeness", campaign.likeness)):
        if beside is not None and beside.image is not None:
            yield Named((key, "image"), f"{key}_image", beside.image)
    for k, address in enumerate(campaign.edit):
        yield Named(("edit", k), EDITS[k], address)
    for k, adapter in enumerate(campaign.adapters):
        yield Named(("adapters", k, "lora"), "lora", adapter.lora)


def with_adapters(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the addresses of adapters changed. Other values are left for the check."""
    return _changed(data, change, _ADAPTERS)


def with_folders(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the addresses of what stands beside its model changed."""
    return _changed(data, change, _BESIDE)


def with_references(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the addresses of references changed."""
    return _changed(data, change, _REFERENCES)


def _changed(
    data: dict[str, Any], change: Callable[[str], str], places: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    return {
        key: _within(key, value, change, places[key]) if key in places else value
        for key, value in data.items()
    }


def _within(name: str, value: Any, change: Callable[[str], str], files: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {part: _within(part, inner, change, files) for part, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_within(name, inner, change, files) for inner in value]
    is_address = isinstance(value, str) and name in files and value not in ("", NONE)
    return change(value) if is_address else value
