"""The places of a job's files on this machine: those of its model, and of its other parts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest

from actors.models.cache import WeightsCache
from actors.recipes.errors import LoadFailed, PartMissing
from actors.recipes.jobs import ChunkJob


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folder of a job's model, the files of its adapters, and the folders of its ControlNet,
    its IP-Adapter and its upscaler, if it has them.
    """

    model: str
    adapters: tuple[str, ...]
    control: str | None
    likeness: str | None
    upscaler: str | None


@contextmanager
def folders_of(
    job: ChunkJob, cache: WeightsCache | None, on_part: Callable[[], None]
) -> Iterator[Folders]:
    """Keep the registered files of a job in the cache, for as long as the block lasts. `on_part`
    is called when some of them have come, or another process still fetches them. If it raises, the
    fetch ends.

    Raises LoadFailed if the model cannot be had, PartMissing for anything else.
    """
    with ExitStack() as held:

        def kept(manifest: str) -> str:
            if cache is None:
                raise LoadFailed("this worker has no folder for registered files: set FARM_CACHE.")
            return str(held.enter_context(cache.use(manifest, on_part)))

        def part(kind: str, path: str | None, manifest: str | None) -> str | None:
            if manifest is None:
                return path
            try:
                return kept(manifest)
            except LoadFailed as exc:
                raise PartMissing(f"The {kind} {path} cannot be loaded: {exc}") from exc

        adapters = zip_longest(job.adapter_paths, job.adapter_manifests)
        yield Folders(
            model=job.model_folder if job.manifest is None else kept(job.manifest),
            adapters=tuple(part("adapter", *adapter) or "" for adapter in adapters),
            control=part("ControlNet", job.control_path, job.control_manifest),
            likeness=part("IP-Adapter", job.likeness_path, job.likeness_manifest),
            upscaler=part("upscaler", job.upscaler_path, job.upscaler_manifest),
        )
