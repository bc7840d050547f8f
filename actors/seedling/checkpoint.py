"""Checkpoints of a training run as safetensors, without pickles."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save_file

_STATE = "state.json"


def save_checkpoint(
    folder: Path,
    step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: EMAModel,
) -> None:
    """Write everything that the next step depends on; the old checkpoint stays until the new one
    is whole.
    """
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    moments = {
        f"{k}/{name}": value.contiguous()
        for k, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()}, fresh / "model.safetensors"
    )
    save_file(moments, fresh / "optimizer.safetensors")
    save_file(
        {str(k): p.contiguous() for k, p in enumerate(ema.shadow_params)},
        fresh / "ema.safetensors",
    )
    (fresh / _STATE).write_text(json.dumps({"step": step, "ema_step": ema.optimization_step}))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def load_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, ema: EMAModel
) -> int:
    """Restore a checkpoint in place and return the step to go on from: 0 if there is none."""
    if not (folder / _STATE).exists():
        return 0
    state = json.loads((folder / _STATE).read_text())
    model.load_state_dict(load_file(folder / "model.safetensors"))
    moments: dict[int, dict[str, Any]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split("/")
        moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(
        {"state": moments, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    shadow = load_file(folder / "ema.safetensors")
    device = ema.shadow_params[0].device
    ema.shadow_params = [shadow[str(k)].to(device) for k in range(len(shadow))]
    ema.optimization_step = state["ema_step"]
    return int(state["step"])
