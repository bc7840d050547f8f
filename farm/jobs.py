"""A leased chunk with its renders written out, as a worker gets it."""

from collections.abc import Iterator

from actors.jobs import ChunkJob, PictureJob
from farm.expansion import Expansion, Render
from farm.manifest import picture_key
from farm.sources import reference_key
from storage.rows import CampaignRow, Chunk


def chunk_job(campaign: CampaignRow, expansion: Expansion, chunk: Chunk) -> ChunkJob:
    """Compute the renders of a chunk."""
    previews, encoding = expansion.campaign.previews, expansion.campaign.encoding
    renders = list(_renders(expansion, chunk))
    addresses = {digest: str(render.shot.reference) for render in renders if (digest := expansion.reference(render))}
    return ChunkJob(
        chunk_id=chunk.id,
        campaign_id=campaign.id,
        lease=chunk.lease,
        model_name=expansion.model.name,
        model_folder=expansion.model.folder,
        group=expansion.group(chunk.group_no),
        pictures=tuple(
            PictureJob(
                number=render.number,
                prompt=render.shot.prompt,
                negative=render.shot.negative,
                seed=render.seed,
                key=picture_key(campaign, render, encoding.format),
                reference=expansion.reference(render),
            )
            for render in renders
        ),
        previews_every=previews.every if previews else None,
        references={digest: reference_key(campaign.project, digest) for digest in addresses},
        addresses=addresses,
        adapter_paths=expansion.adapter_paths(chunk.group_no),
        encoding=encoding,
        look_first=chunk.lease > 1 or chunk.numbers is not None,
    )


def _renders(expansion: Expansion, chunk: Chunk) -> Iterator[Render]:
    if chunk.numbers is None:
        return expansion.renders(chunk.group_no, chunk.start, chunk.stop)
    return (expansion.render(number)[1] for number in chunk.numbers)
