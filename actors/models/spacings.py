"""What a campaign may change in a scheduler's config beside its name: how timesteps are laid out,
and how much of a picture is left in the last of them. No torch here.
"""

from collections.abc import Mapping
from typing import Any

from actors.models.schedulers import class_defaults

SPACING, ZERO_SNR = "timestep_spacing", "rescale_betas_zero_snr"
_OWN_LAYOUT = ("LCMScheduler", "TCDScheduler")
"""They take their timesteps from those that a model was distilled at, whatever the spacing."""
_STEPS_WITH_ETA = ("DDIMScheduler", "TCDScheduler")


def spaced(
    config: Mapping[str, Any], spacing: str | None, terminal_snr: str | None
) -> dict[str, Any]:
    """A scheduler's config with another `spacing` (leading, linspace or trailing), and with
    nothing of a picture left at the last timestep if `terminal_snr` is "zero". What it says
    already is not said twice, so that its digest stays as it is.
    """
    changes: dict[str, Any] = {} if spacing is None else {SPACING: spacing}
    if terminal_snr == "zero":
        changes[ZERO_SNR] = True
    known = {**class_defaults(str(config.get("_class_name"))), **config}
    return {
        **config,
        **{key: value for key, value in changes.items() if known.get(key) != value},
    }


def spacing_refusal(config: Mapping[str, Any]) -> str | None:
    """Why a scheduler of this config has no use for a spacing, as the end of a sentence."""
    class_name = str(config.get("_class_name"))
    if class_name in _OWN_LAYOUT:
        return "it takes its timesteps from those that the model was distilled at"
    if is_flow(config) or SPACING not in class_defaults(class_name):
        return "its steps are not laid out over timesteps"
    return "it lays its steps out by Karras" if config.get("use_karras_sigmas") else None


def snr_refusal(config: Mapping[str, Any]) -> str | None:
    """Why nothing but noise cannot be left at the first step, as the end of a sentence."""
    class_name = str(config.get("_class_name"))
    known = {**class_defaults(class_name), **config}
    if is_flow(config) or ZERO_SNR not in known:
        return "the scheduler has no such noise"
    if known.get("prediction_type") == "epsilon":
        return "the model predicts noise, of which it could learn nothing there"
    return None


def takes_eta(config: Mapping[str, Any]) -> bool:
    """Whether a scheduler draws as much new noise at each step as `eta` says."""
    return str(config.get("_class_name")) in _STEPS_WITH_ETA


def is_flow(config: Mapping[str, Any]) -> bool:
    """Whether a scheduler's config is that of straight paths."""
    name = str(config.get("_class_name"))
    return name.startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))
