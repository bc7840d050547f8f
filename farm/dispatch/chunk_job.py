"""A leased chunk with its renders written out, as a worker receives it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from actors.recipes.drift import DriftAction, DriftRule
from actors.recipes.guidance import kind_of
from actors.recipes.jobs import ChunkJob, Look, PictureJob
from actors.recipes.previews import step_at
from actors.recipes.rules import Rules
from farm.campaign.expansion import Expansion
from farm.campaign.settings import AUTO
from farm.campaign.shots import Render
from farm.campaign.specs import picture_key_of, proof_key_of
from storage.keys import reference_key
from storage.layouts import Layouts
from storage.reuse import Reuse
from storage.rows import CampaignRow, Chunk
from storage.states import Stage


def chunk_job(campaign: CampaignRow, expansion: Expansion, chunk: Chunk) -> ChunkJob:
    """Compute the renders of a chunk."""
    encoding = expansion.campaign.encoding
    brand, passed = expansion.brand, frozenset(campaign.spec.get("passed", ()))
    renders = list(_renders(expansion, chunk))
    addresses = {
        digest: str(address)
        for render in renders
        for address in render.shot.files
        if (digest := expansion.sources.of(address))
    }
    group, beside = expansion.group(chunk.group_no), expansion.beside(chunk.group_no)
    return ChunkJob(
        chunk_id=chunk.id,
        campaign_id=campaign.id,
        lease=chunk.lease,
        model_name=expansion.model.name,
        model_folder=expansion.model.folder,
        group=group,
        guidance_kind=kind_of(expansion.guidance_kind, group.guidance).value,
        manifest=expansion.model.manifest,
        pictures=tuple(_picture_job(campaign, expansion, render, passed) for render in renders),
        previews=expansion.campaign.kept_previews,
        references={digest: reference_key(campaign.project, digest) for digest in addresses},
        addresses=addresses,
        adapter_paths=beside.adapter_paths,
        adapter_manifests=beside.adapter_manifests,
        control_path=beside.control_path,
        control_manifest=beside.control_manifest,
        likeness_path=beside.likeness_path,
        likeness_manifest=beside.likeness_manifest,
        upscaler_path=beside.upscaler_path,
        upscaler_manifest=beside.upscaler_manifest,
        encoding=encoding,
        # a picture that is only painted again for comparison was judged before
        drift=_drift(expansion, chunk.group_no) if "repaints" not in campaign.spec else None,
        rules=_rules(campaign, expansion) if "repaints" not in campaign.spec else None,
        brand=brand.identity if brand else None,
        smaller_batch=_smaller_batch(campaign, expansion, chunk.group_no),
        look=_look(campaign, chunk),
    )


def _picture_job(
    campaign: CampaignRow, expansion: Expansion, render: Render, passed: Collection[int]
) -> PictureJob:
    shot, digests = render.shot, expansion.sources.references
    return PictureJob(
        number=render.number,
        prompt=shot.prompt,
        negative=shot.negative,
        seed=render.seed,
        key=picture_key_of(campaign, render, expansion.campaign.encoding.format),
        reference=expansion.reference(render),
        mask=expansion.sources.of(shot.mask),
        control_image=expansion.sources.of(shot.control_image),
        likeness_image=expansion.sources.of(shot.likeness_image),
        edit=tuple(digests[address] for address in shot.edit),
        anchor_key=_proof_key(campaign, expansion, render),
        passed=render.number in passed,
    )


def _smaller_batch(campaign: CampaignRow, expansion: Expansion, group_no: int) -> int | None:
    """Half a group's batch, if its campaign may be planned anew with that. Then pictures that
    somebody asked for again would be lost, and those that are only compared must stay as they are.
    """
    batch = expansion.group(group_no).batch
    is_free = not expansion.redos and "repaints" not in campaign.spec
    may_change = is_free and expansion.settings(group_no).batch == AUTO
    return batch // 2 if may_change and batch > 1 else None


def _look(campaign: CampaignRow, chunk: Chunk) -> Look:
    if campaign.is_fresh:
        return Look.NEVER
    return Look.ALL if chunk.lease > 1 or chunk.numbers is not None else Look.ENDS


def _proof_key(campaign: CampaignRow, expansion: Expansion, render: Render) -> str | None:
    """Where the proof of a final is, if it has one: only a proof that was approved has a final."""
    if expansion.campaign.drift is None or expansion.campaign.proof is None:
        return None
    kind = expansion.campaign.encoding.format
    return proof_key_of(campaign, expansion, render, kind)


def _rules(campaign: CampaignRow, expansion: Expansion) -> Rules | None:
    """The rules of the campaign's brand. A person decides about proofs anyway: none is held."""
    rules = expansion.brand.rules if expansion.brand else None
    return replace(rules, holds=False) if rules and campaign.stage is Stage.PROOF else rules


def _drift(expansion: Expansion, group_no: int) -> DriftRule | None:
    """What a worker needs to know of a campaign's limit, for one group."""
    drift = expansion.campaign.drift
    if drift is None or drift.limit is None:
        return None
    made = expansion.group(group_no).steps_made
    can_stop = drift.action is DriftAction.STOP and made > 1 and expansion.family.has_previews
    return DriftRule(
        limit=drift.limit,
        action=drift.action,
        stop_step=step_at(drift.at, made) if can_stop else None,
        uses_sets=expansion.locked_seeds is not None,
    )


def with_anchors(job: ChunkJob, campaign: CampaignRow, layouts: Layouts) -> ChunkJob:
    """The job with the medians of its sets, as far as they are known."""
    if job.drift is None or not job.drift.uses_sets:
        return job
    anchors = layouts.anchors(campaign.id, {picture.seed for picture in job.pictures})
    pictures = (replace(picture, anchor=anchors.get(picture.seed)) for picture in job.pictures)
    return replace(job, pictures=tuple(pictures))


def with_reuse(
    job: ChunkJob,
    campaign: CampaignRow,
    reuse: Reuse,
    numerics_class: str,
    *,
    on_page: Callable[[], object],
) -> ChunkJob:
    """The job with, for each picture, the render of the same recipe that its project already has.

    Renders of a replaced version count too, unless previews are kept: only pictures say whose they
    are, once another is painted in their place.
    """
    if campaign.is_fresh or not (
        siblings := reuse.siblings(campaign, with_retired=job.previews is None)
    ):
        return job
    digests = {picture.number: job.recipe(picture).digest for picture in job.pictures}
    found = reuse.find(siblings, set(digests.values()), numerics_class, on_page=on_page)
    pictures = (
        replace(picture, reuse=found.get(digests[picture.number])) for picture in job.pictures
    )
    return replace(job, pictures=tuple(pictures)) if found else job


def _renders(expansion: Expansion, chunk: Chunk) -> Iterator[Render]:
    if chunk.numbers is None:
        return expansion.renders(chunk.group_no, chunk.start, chunk.stop)
    return (expansion.render(number)[1] for number in chunk.numbers)
