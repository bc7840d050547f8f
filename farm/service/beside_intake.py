"""The ControlNet, the IP-Adapter and the upscaler that a campaign names, at its submission: each a
folder of the farm's machine, or a registered one by `NAME` or `NAME@DIGEST`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from actors.models.controls import (
    KIND,
    UNION,
    ControlNet,
    control_misfit,
    inspect_control,
    mode_misfit,
)
from actors.models.families import family_of
from actors.models.family import Family
from actors.models.folders import facts_of
from actors.models.ip_adapters import IpAdapter, inspect_ip_adapter, likeness_misfit
from actors.models.models import Model
from actors.models.upscalers import inspect_upscaler
from farm.campaign.addresses import hint, registered_name
from farm.service.adapter_intake import Taken, checked_path
from farm.service.local_files import LocalFiles
from farm.service.registered import RegisteredModels
from storage.errors import RequestError
from storage.registry import Registered

_NAMES = {"control": "ControlNet", "likeness": "IP-Adapter", "upscale": "upscaler"}


class Digested(Protocol):
    """What stands beside a model, looked at."""

    @property
    def digest(self) -> str: ...


Part = TypeVar("Part", bound=Digested)


@dataclass(frozen=True, kw_only=True)
class BesideIntake:
    """Takes in what stands beside a model. `files` are those of this machine that may be named.
    Without `registered`, none has a name.
    """

    files: LocalFiles
    registered: RegisteredModels | None = None

    def control(self, address: str, model: Model, kinds: Iterable[str | None]) -> Taken:
        """Look at the ControlNet with that address, which is to follow pictures of these kinds.
        Raises RequestError if it may not be named or does not fit the model, OutputsAway if the
        outputs cannot be read now.
        """
        find = self.registered.find_control if self.registered else None
        control, taken = self._take("control", address, find, inspect_control)
        _require_control(control, model, kinds)
        return taken

    def likeness(self, address: str, model: Model, parts: Iterable[str]) -> Taken:
        """Look at the IP-Adapter with that address, which is to bring these parts of likenesses.
        Raises as `control` does.
        """
        find = self.registered.find_ip_adapter if self.registered else None
        adapter, taken = self._take("likeness", address, find, inspect_ip_adapter)
        _require_likeness(adapter, model, parts)
        return taken

    def upscaler(self, address: str, by: Iterable[int]) -> Taken:
        """Look at the upscaler with that address, which is to make pictures larger by each of
        these factors. Raises as `control` does.
        """
        find = self.registered.find_upscaler if self.registered else None
        upscaler, taken = self._take("upscale", address, find, inspect_upscaler)
        if (most := max(by)) > upscaler.by:
            raise RequestError(
                f"it makes pictures {upscaler.by} times larger, and not {most} times."
            )
        return taken

    def _take(
        self,
        key: str,
        address: str,
        find: Callable[[str], tuple[Registered, Part] | None] | None,
        inspect: Callable[[str, Path], Part],
    ) -> tuple[Part, Taken]:
        if registered_name(address) is not None:
            found = find(address) if find is not None else None
            if found is None:
                raise RequestError(
                    f"no {_NAMES[key]} is registered under that name: name one that `farm models"
                    " list` shows, or the whole path of a folder on the farm's machine."
                )
            row, part = found
            return part, Taken(digest=part.digest, label=row.label, manifest=row.manifest)
        path = checked_path(self.files, address)
        if not path.is_dir():
            raise RequestError(f"there is no folder {path}.{hint(address)}")
        part = inspect(path.name, path)
        return part, Taken(digest=part.digest)


def _require_control(control: ControlNet, model: Model, kinds: Iterable[str | None]) -> None:
    family = family_of(model.pipeline)
    taken = {KIND: family.controlled, UNION: family.united} if family is not None else {}
    if family is None or not taken[control.kind]:
        what = control.kind if any(taken.values()) else "control"
        raise RequestError(f"a {model.pipeline} takes no {what}: remove it.")
    for kind in kinds:
        if (why := mode_misfit(control, kind)) is not None:
            raise RequestError(why)
    configs = _configs(model)
    why = control_misfit(control, configs.get(family.denoiser, {}), configs.get("vae", {}))
    if why is not None:
        raise RequestError(why)


def _require_likeness(adapter: IpAdapter, model: Model, parts: Iterable[str]) -> None:
    family: Family | None = family_of(model.pipeline)
    if family is None or not family.likenesses:
        raise RequestError(f"a {model.pipeline} takes no likeness: remove it.")
    unet = _configs(model).get(family.denoiser, {})
    for part in parts:
        if (why := likeness_misfit(adapter, family, part, unet)) is not None:
            raise RequestError(why)


def _configs(model: Model) -> Mapping[str, Mapping[str, Any]]:
    return facts_of(model.name, Path(model.folder)).configs
