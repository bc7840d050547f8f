"""A campaign's spec: what the job database keeps of it, and how renders are computed from that
again.
"""

from collections.abc import Iterable
from dataclasses import asdict
from difflib import unified_diff
from typing import Any

import yaml

from actors.models.models import Model
from actors.models.upscalers import LANCZOS
from actors.recipes.encoding import Format
from actors.recipes.recipe import digest_of
from farm.campaign.batches import has_auto_batch, size_text
from farm.campaign.brand import Brand
from farm.campaign.counterparts import kept_redos
from farm.campaign.expansion import Expansion
from farm.campaign.schema import Campaign
from farm.campaign.seeding import DERIVATION
from farm.campaign.settings import OPTIONS
from farm.campaign.shots import Redo, Render
from farm.campaign.sources import ONLY_VARIED, Sources
from farm.campaign.stages import proof_campaign
from storage.keys import picture_key
from storage.rows import CampaignRow
from storage.states import Stage

Json = dict[str, Any]
_LATER = (
    "reference",
    "control",
    "adapters",
    "budget",
    "brand",
    "proof",
    "drift",
    "edit",
    "likeness",
    "upscale",
)
"""Keys that an older version did not have: a spec without one means the same as a spec in which it
is empty.
"""


def make_spec(
    campaign: Campaign,
    model: Model,
    sources: Sources,
    derivation: int = DERIVATION,
    brand: Brand | None = None,
) -> Json:
    spec: Json = {
        "campaign": campaign.model_dump(mode="json"),
        "model": asdict(model),
        "derivation": derivation,
    }
    if brand is not None:
        spec["brand"] = asdict(brand)
    if sources == Sources():
        return spec
    # versions before know nothing of what is registered
    named = {k: v for k, v in asdict(sources).items() if v or k in ("references", "adapters")}
    return {**spec, "sources": named}


def derivation_of(spec: Json) -> int:
    """How a campaign's seeds are derived; specs of before say nothing, and mean the first way."""
    return int(spec.get("derivation", 1))


def fingerprint(spec: Json) -> str:
    """What makes two submissions the same: the file's meaning and the model's weights, not where
    the model lies.
    """
    return digest_of(_identity(spec))


def expansion_of(spec: Json) -> Expansion:
    model = Model(**{**spec["model"], "size": tuple(spec["model"]["size"])})
    campaign = Campaign.model_validate(spec["campaign"])
    redos = [Redo(**redo) for redo in spec.get("redos", ())]
    return Expansion(
        campaign, model, _sources(spec), derivation_of(spec), brand_of(spec), redos,
        spec.get("smaller"),
    )  # fmt: skip


def brand_of(spec: Json) -> Brand | None:
    """The brand that a campaign was submitted with."""
    return Brand(**spec["brand"]) if "brand" in spec else None


def proof_spec(spec: Json) -> Json:
    """The spec of the proofs of a campaign."""
    campaign = proof_campaign(Campaign.model_validate(spec["campaign"]))
    return {**spec, "campaign": campaign.model_dump(mode="json")}


def with_redos(spec: Json, redos: Iterable[Redo]) -> Json:
    """The spec with more renders that were asked for again."""
    return {**spec, "redos": [*spec.get("redos", ()), *map(asdict, redos)]}


def with_smaller(spec: Json, size: tuple[int, int], batch: int) -> Json:
    """The spec with a smaller batch for the pictures of a size whose batch is `auto`."""
    return {**spec, "smaller": {**spec.get("smaller", {}), size_text(size): batch}}


def going_on(known: Json, expansion: Expansion, spec: Json) -> tuple[Expansion, Json]:
    """A campaign that takes the place of another version, with what that one has found: its seeds
    are derived in the same way, and batches that did not fit are not tried again. So no picture
    changes that both have. Redos go on if their pictures stay the same.
    """
    found: Json = {}
    if derivation_of(known) != derivation_of(spec):
        found["derivation"] = derivation_of(known)
    is_same_model = known["model"]["digest"] == spec["model"]["digest"]
    if is_same_model and "smaller" in known and has_auto_batch(expansion.campaign):
        found["smaller"] = known["smaller"]
    if found:
        spec = {**spec, **found}
        expansion = expansion_of(spec)
    if redos := kept_redos(expansion_of(known), expansion) if known.get("redos") else []:
        spec = with_redos(spec, redos)
        expansion = expansion_of(spec)
    return expansion, spec


def difference(old: Json, new: Json) -> str:
    """What changed between two specs, as a diff of their YAML."""
    before, after = (
        yaml.safe_dump(_identity(spec), sort_keys=False, allow_unicode=True).splitlines()
        for spec in (old, new)
    )
    return "\n".join(
        list(unified_diff(before, after, "submitted", "this file", lineterm="", n=1))[:60]
    )


def _identity(spec: Json) -> Json:
    """The campaign with digests where it names files, without those settings that only axes have,
    and without what an older version did not know if it is not used: what that version stored
    is the same campaign still.
    """
    sources = _sources(spec)
    campaign = {
        name: value for name, value in spec["campaign"].items() if value or name not in _LATER
    }
    campaign.pop("notes", None)  # no picture depends on what is called a note
    campaign.pop("syntax", None)  # campaigns of before have none, and mean the same without
    campaign.pop("emphasis", None)  # it says what may stand in prompts, and changes none
    campaign["prompt"], campaign["negative"] = (
        campaign["prompt"].strip(),
        campaign["negative"].strip(),
    )
    campaign["settings"] = {
        name: value
        for name, value in campaign["settings"].items()
        if value is not None or name not in (*ONLY_VARIED, *OPTIONS)
    }
    campaign["vary"] = {
        name: _by_content(sources, name, values) for name, values in campaign["vary"].items()
    }
    campaign["skip"] = [sources.by_content("", rule) for rule in campaign["skip"]]
    if reference := campaign.get("reference"):
        files = {name: sources.references[reference[name]] for name in _begin(reference)}
        campaign["reference"] = {**reference, **files}
    if upscale := campaign.get("upscale"):
        model = sources.upscalers.get(upscale["model"], LANCZOS)
        campaign["upscale"] = {**upscale, "model": model}
    for name, models in (("control", sources.controls), ("likeness", sources.ip_adapters)):
        if written := campaign.get(name):
            image = written.get("image")
            files = {"image": sources.references[image]} if image else {}
            campaign[name] = {**written, **files, "model": models[written["model"]]}
    if edit := campaign.get("edit"):
        campaign["edit"] = [sources.references[address] for address in edit]
    if adapters := campaign.get("adapters"):
        campaign["adapters"] = [
            {**adapter, "lora": sources.adapters[adapter["lora"]]} for adapter in adapters
        ]
    return {
        **campaign,
        **({"smaller": spec["smaller"]} if spec.get("smaller") else {}),
        "model": {name: spec["model"][name] for name in ("digest", "pipeline", "batch", "size")},
    }


def _begin(reference: Json) -> list[str]:
    """The keys of a reference that name a file."""
    return [name for name in ("image", "mask") if reference.get(name)]


def _by_content(sources: Sources, axis: str, values: Any) -> Any:
    return (
        [sources.by_content(axis, value) for value in values]
        if isinstance(values, list)
        else values
    )  # else a range, of numbers


def _sources(spec: Json) -> Sources:
    return Sources(**spec.get("sources", {}))


def proof_key_of(campaign: CampaignRow, expansion: Expansion, render: Render, kind: Format) -> str:
    """The key of the picture that a person saw before a final was painted, if it has a proof: its
    own, or for a redo without one that of its shot and seed.
    """
    redo = expansion.redos.get(render.number)
    version = render.version if redo is not None and redo.has_proof else 1
    return _key(campaign, render, kind, Stage.PROOF, version)


def picture_key_of(campaign: CampaignRow, render: Render, kind: Format) -> str:
    """The key of a render's picture."""
    return _key(campaign, render, kind, campaign.stage, render.version)


def _key(campaign: CampaignRow, render: Render, kind: Format, stage: Stage, version: int) -> str:
    return picture_key(
        campaign.project,
        campaign.title,
        version=campaign.version,
        stage=stage,
        shot=render.shot.key,
        seed=render.seed,
        kind=kind,
        redo=version - 1,
    )
