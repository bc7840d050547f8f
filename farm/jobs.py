"""A leased chunk with its renders written out, as a worker gets it."""

from collections.abc import Iterator

from actors.jobs import ChunkJob, PictureJob
from farm.expansion import Expansion, Render
from farm.manifest import picture_key
from storage.rows import CampaignRow, Chunk


def chunk_job(campaign: CampaignRow, expansion: Expansion, chunk: Chunk) -> ChunkJob:
    """Compute the renders of a chunk."""
    previews, encoding = expansion.campaign.previews, expansion.campaign.encoding
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
            )
            for render in _renders(expansion, chunk)
        ),
        previews_every=previews.every if previews else None,
        encoding=encoding,
        look_first=chunk.lease > 1 or chunk.numbers is not None,
    )


def _renders(expansion: Expansion, chunk: Chunk) -> Iterator[Render]:
    if chunk.numbers is None:
        return expansion.renders(chunk.group_no, chunk.start, chunk.stop)
    return (expansion.render(number)[1] for number in chunk.numbers)
