"""The ControlNet that a campaign names, at its submission: a folder of the farm's machine, or a
registered one by `NAME` or `NAME@DIGEST`.
"""

from dataclasses import dataclass
from pathlib import Path

from actors.models.controls import ControlNet, control_misfit, inspect_control
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

    def take(self, address: str, model: Model) -> Taken:
        """Look at the ControlNet with that address. Raises RequestError if it may not be named or
        does not fit the model, OutputsAway if the outputs cannot be read now.
        """
        if registered_name(address) is not None:
            return self._registered(address, model)
        path = checked_path(self.files, address)
        if not path.is_dir():
            raise RequestError(f"there is no folder {path}.{hint(address)}")
        control = inspect_control(path.name, path)
        _require_fit(control, model)
        return Taken(digest=control.digest)

    def _registered(self, name: str, model: Model) -> Taken:
        found = self.registered.find_control(name) if self.registered else None
        if found is None:
            raise RequestError(
                "no ControlNet is registered under that name: name one that `farm models list`"
                " shows, or the whole path of a folder on the farm's machine."
            )
        row, control = found
        _require_fit(control, model)
        return Taken(digest=control.digest, label=row.label, manifest=row.manifest)


def _require_fit(control: ControlNet, model: Model) -> None:
    family = family_of(model.pipeline)
    if family is None or not family.controlled:
        raise RequestError(f"a {model.pipeline} takes no control: remove it.")
    configs = facts_of(model.name, Path(model.folder)).configs
    why = control_misfit(control, configs.get(family.denoiser, {}), configs.get("vae", {}))
    if why is not None:
        raise RequestError(why)
