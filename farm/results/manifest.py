"""The manifest of a campaign: a line of JSON for each of its renders that has ended, computed from
the job database.
"""

import json
from collections.abc import Iterator
from tempfile import TemporaryFile

from actors.recipes.guidance import kind_of
from actors.recipes.previews import preview_steps, step_at
from actors.recipes.recipe import Group
from farm.campaign.expansion import Expansion
from farm.campaign.shots import Render
from farm.campaign.specs import expansion_of, picture_key_of
from farm.results.line import (
    Line,
    LineAdapter,
    LineControl,
    LineLikeness,
    LineRedo,
    LineReference,
    LineRules,
    LineSettings,
    LineUpscale,
    PlannedLine,
)
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.keys import manifest_key, preview_key
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome
from storage.states import Reason
from storage.store import Outputs
from storage.verdicts import Verdicts


def manifest_lines(
    campaigns: Campaigns, reviews: Reviews, campaign: CampaignRow
) -> Iterator[Line]:
    """A line for each render, in the order of the expansion."""
    expansion, verdicts = expansion_of(campaign.spec), reviews.verdicts(campaign)
    for outcome, attempts, worker in campaigns.outcomes(campaign.id):
        yield _line(campaign, expansion, verdicts, outcome, attempts, worker)


def manifest_line(
    campaigns: Campaigns, reviews: Reviews, campaign: CampaignRow, number: int
) -> Line:
    """The line of one render. Raises NotFound if it has not ended, or there is none of that
    number.
    """
    found = campaigns.outcome(campaign.id, number)
    if found is None:
        raise NotFound(
            f"The campaign {campaign.name} has no render {number} that has ended: its manifest has"
            " their numbers."
        )
    return _line(campaign, expansion_of(campaign.spec), reviews.verdicts(campaign), *found)


def write_manifest(
    campaigns: Campaigns, reviews: Reviews, campaign: CampaignRow, outputs: Outputs
) -> str:
    """Write `manifest.jsonl` beside the campaign's pictures and return its key; an older one is
    replaced only by a whole one.
    """
    key = manifest_key(campaign.project, campaign.title, campaign.stage)
    with TemporaryFile() as file:
        for line in manifest_lines(campaigns, reviews, campaign):
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        file.seek(0)
        outputs.put(key, file)
    return key


def _line(
    campaign: CampaignRow,
    expansion: Expansion,
    verdicts: Verdicts,
    outcome: RenderOutcome,
    attempts: int,
    worker: str | None,
) -> Line:
    group_no, render = expansion.render(outcome.number)
    group = expansion.group(group_no)
    return {
        **planned_line(campaign, expansion, outcome.number),
        "digest": outcome.digest,
        "pixels": outcome.pixels,
        "key": outcome.key,
        "bytes": outcome.bytes,
        "sha256": outcome.sha256,
        "previews": _previews(campaign, expansion, render, group, outcome),
        "state": outcome.state,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "rules": _rules(outcome),
        "review": verdicts.of(outcome.number),
        "drift": outcome.drift,
        "attempts": attempts,
        "worker": worker,
        "numerics_class": outcome.numerics_class,
        "seconds": outcome.seconds,
        "money": None if outcome.money is None else round(outcome.money, 9),
        "finished_at": outcome.finished_at,
    }


def planned_line(campaign: CampaignRow, expansion: Expansion, number: int) -> PlannedLine:
    """The part of a render's line that follows from its campaign alone."""
    group_no, render = expansion.render(number)
    return {
        "campaign": campaign.title,
        "stage": campaign.stage,
        "number": number,
        "redo": _redo(expansion, number),
        "shot": render.shot.key,
        "coordinates": dict(render.shot.coordinates),
        "seed": render.seed,
        "prompt": render.shot.prompt,
        "negative": render.shot.negative,
        "settings": _settings(expansion, group_no),
        "reference": _reference(expansion, render.shot.reference),
        "mask": _reference(expansion, render.shot.mask),
        "control": _control(expansion, group_no),
        "control_image": _reference(expansion, render.shot.control_image),
        "likeness": _likeness(expansion, group_no),
        "likeness_image": _reference(expansion, render.shot.likeness_image),
        "upscale": _upscale(expansion, group_no),
        "edit": [_named(expansion, address) for address in render.shot.edit],
        "adapters": _adapters(expansion, group_no),
        "model": campaign.model,
        "brand": expansion.brand.identity if expansion.brand else None,
    }


def _rules(outcome: RenderOutcome) -> LineRules | None:
    """The verdict of the brand's rules, or None for a picture that was not judged."""
    if outcome.rules_tested is None:
        return None
    failed = list(outcome.rules_failed)
    return {
        "passed": outcome.rules_tested - len(failed),
        "tested": outcome.rules_tested,
        "failed": failed,
    }


def _redo(expansion: Expansion, number: int) -> LineRedo | None:
    """Of a render that was asked for again: the render whose cell it has, and its place among the
    pictures of that cell.
    """
    redo = expansion.redos.get(number)
    return None if redo is None else {"of": redo.of, "version": redo.version}


def _settings(expansion: Expansion, group_no: int) -> LineSettings:
    group, named = expansion.group(group_no), expansion.settings(group_no)
    return {
        "steps": group.steps,
        "guidance": group.guidance,
        "guidance_kind": kind_of(expansion.guidance_kind, group.guidance).value,
        "guidance_rescale": group.guidance_rescale,
        "scheduler": group.scheduler,
        "spacing": named.spacing,
        "terminal_snr": named.terminal_snr,
        "eta": group.eta,
        "clip_skip": group.clip_skip,
        "vae_tile": group.vae_tile,
        "size": f"{group.width}x{group.height}",
        "batch": group.batch,
        "dtype": group.dtype,
        "strength": group.strength,
    }


def _adapters(expansion: Expansion, group_no: int) -> list[LineAdapter]:
    beside = expansion.beside(group_no)
    return [
        {"path": path, "digest": adapter.digest, "scale": adapter.scale}
        for path, adapter in zip(beside.adapter_paths, beside.adapters, strict=True)
    ]


def _control(expansion: Expansion, group_no: int) -> LineControl | None:
    beside = expansion.beside(group_no)
    if beside.control is None or beside.control_path is None:
        return None
    control = beside.control
    return {
        "path": beside.control_path,
        "digest": control.digest,
        "scale": control.scale,
        "until": control.until,
        "kind": expansion.settings(group_no).control_kind,
    }


def _likeness(expansion: Expansion, group_no: int) -> LineLikeness | None:
    beside = expansion.beside(group_no)
    if beside.likeness is None or beside.likeness_path is None:
        return None
    likeness = beside.likeness
    return {
        "path": beside.likeness_path,
        "digest": likeness.digest,
        "scale": likeness.scale,
        "of": likeness.of,
    }


def _upscale(expansion: Expansion, group_no: int) -> LineUpscale | None:
    beside = expansion.beside(group_no)
    if beside.upscale is None or beside.upscaler_path is None:
        return None
    upscale = beside.upscale
    return {"path": beside.upscaler_path, "digest": upscale.digest, "by": upscale.by}


def _previews(
    campaign: CampaignRow,
    expansion: Expansion,
    render: Render,
    group: Group,
    outcome: RenderOutcome,
) -> list[str]:
    """The previews of a picture; of one that was stopped, those of the steps that it made."""
    if campaign.previews_pruned_at is not None:
        return []
    steps, key = preview_steps(expansion.campaign.kept_previews, group.steps_made), outcome.key
    drift = expansion.campaign.drift
    if outcome.reason is Reason.DRIFT_STOPPED and drift is not None:
        last = step_at(drift.at, group.steps_made)
        steps = [step for step in steps if step <= last]
        key = picture_key_of(campaign, render, expansion.campaign.encoding.format)
    return [preview_key(key, step) for step in steps] if key else []


def _reference(expansion: Expansion, address: str | None) -> LineReference | None:
    return None if address is None else _named(expansion, address)


def _named(expansion: Expansion, address: str) -> LineReference:
    return {"address": address, "digest": expansion.sources.references[address]}
