"""A campaign's spec: what the job database keeps of it, and how renders are computed from that again."""

from collections.abc import Mapping
from dataclasses import asdict
from difflib import unified_diff
from typing import Any

import yaml

from actors.models import Model
from actors.recipe import digest_of
from farm.campaign import Campaign
from farm.expansion import Expansion

Json = dict[str, Any]


def make_spec(campaign: Campaign, model: Model) -> Json:
    return {"campaign": campaign.model_dump(mode="json"), "model": asdict(model)}


def fingerprint(spec: Json) -> str:
    """What makes two submissions the same: the file's meaning and the model's weights, not where the model lies."""
    return digest_of(_identity(spec))


def expansion_of(spec: Json) -> Expansion:
    model = spec["model"]
    return Expansion(Campaign.model_validate(spec["campaign"]), Model(**{**model, "size": tuple(model["size"])}))


def difference(old: Json, new: Json) -> str:
    """What changed between two specs, as a diff of their YAML."""
    before, after = (yaml.safe_dump(_identity(spec), sort_keys=False, allow_unicode=True).splitlines() for spec in (old, new))
    return "\n".join(list(unified_diff(before, after, "submitted", "this file", lineterm="", n=1))[:60])


def _identity(spec: Mapping[str, Any]) -> Json:
    return {**spec["campaign"], "model": {name: spec["model"][name] for name in ("digest", "pipeline", "batch", "size")}}
