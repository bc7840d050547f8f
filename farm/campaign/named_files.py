"""The addresses of files in a campaign's data, wherever they stand. Pure."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from farm.campaign.sources import NONE

_REFERENCES = {
    key: {"image", "mask", "reference", "reference_mask", "control_image"}
    for key in ("reference", "control", "vary", "skip")
}
_CONTROLS = {"control": {"model"}}
_ADAPTERS = {key: {"lora"} for key in ("adapters", "vary", "skip")}


def with_adapters(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the addresses of adapters changed. Other values are left for the check."""
    return _changed(data, change, _ADAPTERS)


def with_controls(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the address of its ControlNet changed."""
    return _changed(data, change, _CONTROLS)


def with_references(data: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The data with the addresses of references changed."""
    return _changed(data, change, _REFERENCES)


def _changed(
    data: dict[str, Any], change: Callable[[str], str], places: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    return {
        key: _within("", value, change, places[key]) if key in places else value
        for key, value in data.items()
    }


def _within(name: str, value: Any, change: Callable[[str], str], files: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {part: _within(part, inner, change, files) for part, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_within(name, inner, change, files) for inner in value]
    is_address = isinstance(value, str) and name in files and value not in ("", NONE)
    return change(value) if is_address else value
