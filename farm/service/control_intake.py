"""The ControlNet that a campaign names, at its submission: a folder of the farm's machine, or a
registered one by `NAME` or `NAME@DIGEST`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from actors.models.controls import (
    KIND,
    UNION,
    ControlNet,
    control_misfit,
    inspect_control,
    mode_misfit,
)
from actors.models.families import family_of
from actors.models.folders import facts_of
from actors.models.models import Model
from farm.campaign.addresses import hint, registered_name
from farm.service.adapter_intake import Taken, checked_path
from farm.service.local_files import LocalFiles
from farm.service.registered import RegisteredModels
from storage.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class ControlIntake:
    """Takes in ControlNets. `files` are those of this machine that may be named. Without
    `registered`, none has a name.
    """

    files: LocalFiles
    registered: RegisteredModels | None = None

    def take(self, address: str, model: Model, kinds: Iterable[str | None]) -> Taken:
        """Look at the ControlNet with that address, which is to follow pictures of these kinds.
        Raises RequestError if it may not be named or
        does not fit the model, OutputsAway if the outputs cannot be read now.
        """
        if registered_name(address) is not None:
            return self._registered(address, model, kinds)
        path = checked_path(self.files, address)
        if not path.is_dir():
            raise RequestError(f"there is no folder {path}.{hint(address)}")
        control = inspect_control(path.name, path)
        _require_fit(control, model, kinds)
        return Taken(digest=control.digest)

    def _registered(self, name: str, model: Model, kinds: Iterable[str | None]) -> Taken:
        found = self.registered.find_control(name) if self.registered else None
        if found is None:
            raise RequestError(
                "no ControlNet is registered under that name: name one that `farm models list`"
                " shows, or the whole path of a folder on the farm's machine."
            )
        row, control = found
        _require_fit(control, model, kinds)
        return Taken(digest=control.digest, label=row.label, manifest=row.manifest)


def _require_fit(control: ControlNet, model: Model, kinds: Iterable[str | None]) -> None:
    family = family_of(model.pipeline)
    taken = {KIND: family.controlled, UNION: family.united} if family is not None else {}
    if family is None or not taken[control.kind]:
        what = control.kind if any(taken.values()) else "control"
        raise RequestError(f"a {model.pipeline} takes no {what}: remove it.")
    for kind in kinds:
        if (why := mode_misfit(control, kind)) is not None:
            raise RequestError(why)
    configs = facts_of(model.name, Path(model.folder)).configs
    why = control_misfit(control, configs.get(family.denoiser, {}), configs.get("vae", {}))
    if why is not None:
        raise RequestError(why)
