"""How strongly each layer of a LoRA counts: its alpha by its rank, from the file or from what lies
beside it. No torch here.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from actors.models.heads import Head
from storage.errors import RequestError

CONFIG = "adapter_config.json"
_METADATA = (  # under which diffusers keeps peft's configs, those of all parts in one
    "lora_adapter_metadata"
)
_MAX_CONFIG_BYTES = 4 * 1024 * 1024
# Ways to begin training that leave the model's own weights as they are. Others, like PiSSA, change
# them: a LoRA of theirs fits those alone.
_PLAIN_BEGINNINGS = (True, False, None, "gaussian", "eva", "orthogonal")
# What makes an adapter more than W + strength * up @ down.
_MORE = (
    "use_dora",
    "lora_bias",
    "use_qalora",
    "use_bdlora",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
)
_PATTERN = re.compile(
    r"\^?[\w.\-]+\$?"
)  # a layer's name, or the end of one; a free pattern could take for ever to match


@dataclass(frozen=True)
class Strength:
    """What a layer is multiplied with: alpha by rank, or by the rank's root for rsLoRA."""

    alpha: float
    rank: int
    is_rslora: bool = False

    @property
    def factor(self) -> float:
        return self.alpha / (math.sqrt(self.rank) if self.is_rslora else self.rank)


class PeftConfig(BaseModel):
    """The part of peft's LoraConfig that decides how an adapter counts."""

    model_config = ConfigDict(extra="allow", strict=True)

    peft_type: str | None = "LORA"
    r: int = 8
    lora_alpha: float | None = 8
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool = False
    init_lora_weights: Any = True

    def strength(self, module: str, rank: int) -> Strength:
        """That of a layer by its name. Raises RequestError if the config is not that of a layer
        with such a rank.
        """
        told = _matching(self.rank_pattern, module, self.r)
        if told != rank:
            raise RequestError(
                f"the rank of its layer {module} is {rank}, and {told} in its config: they do not"
                " belong together."
            )
        alpha = _matching(
            self.alpha_pattern, module, rank if self.lora_alpha is None else self.lora_alpha
        )
        return Strength(alpha=alpha, rank=rank, is_rslora=self.use_rslora)


def config_beside(file: Path, *, is_only_one: bool) -> PeftConfig | None:
    """What peft has saved beside an adapter, if it has: beside the file of its own name, or the
    only one of a folder.
    """
    path = file.with_name(CONFIG)
    if not (is_only_one or file.name == "adapter_model.safetensors") or not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise RequestError(f"{path} is larger than {_MAX_CONFIG_BYTES >> 20} MB.")
        return _config(json.loads(path.read_text(encoding="utf-8")), CONFIG)
    except (OSError, ValueError, RecursionError) as exc:
        raise RequestError(f"{CONFIG} beside it cannot be read ({exc}).") from exc


def configs_in(head: Head) -> Mapping[str, PeftConfig]:
    """What diffusers has saved in a file, by part."""
    if _METADATA not in head.metadata:
        return {}
    try:
        fields = json.loads(head.metadata[_METADATA])
    except (ValueError, RecursionError) as exc:
        raise RequestError(f"the metadata {_METADATA} in it cannot be read ({exc}).") from exc
    parts: dict[str, dict[str, Any]] = {}
    for name, value in fields.items() if isinstance(fields, dict) else ():
        part, _, key = name.partition(".")
        parts.setdefault(part, {})[key] = value
    return {part: _config(config, _METADATA) for part, config in parts.items()}


def strength_of(
    name: str, module: str, rank: int, alpha: float | None, configs: Sequence[PeftConfig | None]
) -> Strength:
    """The strength of a layer: as its own alpha and the configs say, 1 if none says anything.

    Raises RequestError if they do not agree, or an alpha cannot be used.
    """
    strengths = [config.strength(module, rank) for config in configs if config is not None]
    if alpha is not None:
        strengths.append(Strength(alpha=alpha, rank=rank))
    for strength in strengths:
        if not (math.isfinite(strength.alpha) and strength.alpha >= 0):
            raise RequestError(
                f"the alpha of its layer {name} is {strength.alpha}: it must be a finite number of"
                " at least 0."
            )
        if not math.isclose(strength.factor, strengths[0].factor, rel_tol=1e-6):
            raise RequestError(
                f"its layer {name} has two strengths: {strengths[0].factor:g} by its config, and"
                f" {strength.factor:g} by its alpha."
            )
    return strengths[0] if strengths else Strength(alpha=rank, rank=rank)


def _config(fields: Any, source: str) -> PeftConfig:
    try:
        config = PeftConfig.model_validate(fields)
    except ValidationError as exc:
        error = exc.errors()[0]
        raise RequestError(
            f"{source}: {'.'.join(map(str, error['loc']))}: {error['msg']}."
        ) from exc
    if config.peft_type != "LORA":
        raise RequestError(
            f"it is a {str(config.peft_type)[:40]} ({source}): only plain LoRA is supported."
        )
    for name in _MORE:
        if getattr(config, name, None):
            kind = "a DoRA" if name == "use_dora" else "more than a plain LoRA"
            raise RequestError(f"it is {kind} ({name} in {source}), which is not supported.")
    if config.init_lora_weights not in _PLAIN_BEGINNINGS:
        raise RequestError(
            "it was trained from changed weights (init_lora_weights is"
            f" {str(config.init_lora_weights)[:40]!r} in {source}): convert it to a plain LoRA"
            " when it is saved."
        )
    for pattern in {**(config.rank_pattern or {}), **(config.alpha_pattern or {})}:
        if not _PATTERN.fullmatch(pattern):
            raise RequestError(
                f"{source}: the pattern {pattern[:80]!r} is not the name of a layer."
            )
    return config


def _matching(patterns: Mapping[str, float] | None, module: str, otherwise: float) -> float:
    """What the first pattern says that is a module's name, or the end of it behind a dot, as peft
    compares them.
    """
    for pattern, value in (patterns or {}).items():
        name = pattern.removeprefix("^").removesuffix("$")
        if module == name or (module.endswith(f".{name}") and not pattern.startswith("^")):
            return value
    return otherwise
