"""Paints one batch with plain torch and diffusers. No Ray, no files written, no queue."""

import platform
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import diffusers
import torch
import transformers

from actors.models.families import family_of
from actors.models.lora_names import Weights
from actors.models.models import has_weights, weights_digest
from actors.painting.adapters import Adapters
from actors.painting.canaries import paint_canaries
from actors.painting.controls import Controls
from actors.painting.denoising import (
    NO_REFERENCES,
    Batch,
    OnPreview,
    denoise,
    ignore,
    new_scheduler,
)
from actors.painting.embeddings import Embeddings
from actors.painting.ip_adapters import IpAdapters
from actors.painting.loaded_pipeline import LoadedPipeline
from actors.painting.loading import load_pipeline, reasons
from actors.painting.memory import bytes_in_files, bytes_of, memory_of
from actors.painting.parking import Parked
from actors.painting.parts import Beside
from actors.painting.pipelines import pipeline_class_of
from actors.painting.prompt_canary import prove_prompts
from actors.painting.upscaling import Upscaling
from actors.pictures.files import Pixels
from actors.recipes.canary import canary_group, subject_of
from actors.recipes.errors import BadRequest, LoadFailed, ModelMissing, WeightsChanged
from actors.recipes.jobs import Canary
from actors.recipes.previews import Decode, Previews
from actors.recipes.recipe import Group, Recipe

Wanted = TypeVar("Wanted")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Warm:
    """A pipeline in memory, its text encoders' answers so far, and its adapters."""

    pipeline: LoadedPipeline
    embeddings: Embeddings
    adapters: Adapters
    controls: Controls
    ip_adapters: IpAdapters
    own_bytes: int
    """Of the pipeline's weights."""
    canaries: dict[str, str] = field(default_factory=dict)
    """The hashes of its canaries, by subject."""

    @property
    def bytes(self) -> int:
        """Of its weights, its ControlNet's and its IP-Adapter's."""
        return self.own_bytes + self.controls.bytes + self.ip_adapters.bytes


@dataclass(frozen=True)
class Painted:
    """A batch as it left the device: one uint8 [h, w, 3] array a recipe, made larger if its group
    says so, or None if the numbers were not a picture.

    `loads` counts the pipelines that were loaded for it, `swaps` those that gave way to them.
    """

    pixels: list[Pixels | None]
    load_s: float
    paint_s: float
    parked: list[Parked] = field(default_factory=list)
    """If it was not finished: where each picture goes on."""
    loads: int = 0
    swaps: int = 0
    canary: Canary | None = None
    """What this pipeline has proven about its numerics."""


class Engine:
    """Pipelines kept warm on one device, as many as there is room for: then the least recently
    used one gives way to the next.
    """

    def __init__(
        self, *, device: str | None = None, threads: int = 1, memory: int | None = None
    ) -> None:
        """`threads` counts CPU threads; it decides pixels on a CPU, since kernels split their sums
        by it. `memory` is the room, in bytes: that of the device if it is not given.
        """
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.threads = threads
        self._memory = memory or memory_of(self.device, threads)
        self._upscaling = Upscaling(self.device)
        self._working = 0
        """The most bytes that painting has taken beside weights."""
        self.warm: OrderedDict[tuple[str, str], Warm] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._read: dict[str, Future[str]] = {}
        # No kernel is chosen by stopwatch: two runs, or two workers, could choose differently.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True

    @property
    def numerics_class(self) -> str:
        """Pixels are promised to be equal between workers whose classes are."""
        if self.device.type == "cuda":
            # has no public name
            driver = torch._C._cuda_getDriverVersion()  # type: ignore[attr-defined]
            hardware = f"{torch.cuda.get_device_name(self.device)}:driver-{driver}"
        else:
            hardware = (
                f"{_cpu_name()}:{torch.backends.cpu.get_cpu_capability()}:threads-{self.threads}"
            )
        libraries = (
            f"torch-{torch.__version__}:diffusers-{diffusers.__version__}"
            f":transformers-{transformers.__version__}"
        )
        return f"{self.device.type}:{hardware}:{libraries}"

    def expect(self, group: Group, folder: str) -> None:
        """Read and check the files of a pipeline that is needed soon, in a thread beside the
        painting, so that they are in main memory. The thread does not load them: loading sets
        torch's default dtype for all threads, and would change the pixels of the batch under
        way.
        """
        if (group.model, group.dtype) not in self.warm and folder not in self._read:
            self._read[folder] = self._reader.submit(weights_digest, Path(folder))

    def paint(
        self,
        recipes: Sequence[Recipe],
        folder: str,
        previews: Previews | None = None,
        *,
        references: Mapping[str, Pixels] = NO_REFERENCES,
        adapter_paths: Sequence[str] = (),
        control_folder: str | None = None,
        likeness_folder: str | None = None,
        upscaler_folder: str | None = None,
        on_step: Callable[[int], None] = lambda _left: None,
        on_preview: OnPreview = ignore,
        until: int | None = None,
        parked: Sequence[Parked] = (),
    ) -> Painted:
        """Paint up to a batch of recipes of one group; a short batch is padded to its shape.
        `on_step` is called after each step with how many are left, and what it raises ends the
        batch. `on_preview` gets the looks at the steps of `previews`, each when it exists.

        With `until`, the batch is parked after that step, and has no pixels yet. With `parked`,
        one for each recipe and all of one step, it goes on from there.

        `references` are, by digest, the pictures that recipes begin from, of the group's size, and
        by `whole(digest)` those in their own; `adapter_paths` the files of its adapters, in the
        same order; `control_folder` is that of its ControlNet, `likeness_folder` that of its
        IP-Adapter, `upscaler_folder` that of its upscaler. Raises BadRequest if the model, a
        prompt or an adapter cannot be used, PartMissing if one of these three cannot be loaded,
        Unstable if its pixels would not repeat, and torch.OutOfMemoryError if the device is too
        small.
        """
        torch.set_num_threads(self.threads)  # here, because torch keeps it by thread
        group = recipes[0].group
        started = time.perf_counter()
        is_cold, before = (group.model, group.dtype) not in self.warm, len(self.warm)
        warm = self._warm(group, folder)
        swaps = before + is_cold - len(self.warm)
        warm.adapters.use(group.adapters, adapter_paths)
        self._stand_beside(warm, group, control_folder, upscaler_folder)
        warm.ip_adapters.take_off()
        canary = self._prove(warm, group, folder, on_step)
        self._likeness(warm, group, likeness_folder)
        if previews and previews.decode is Decode.FAST:
            warm.pipeline.learn_colours()
        loaded = time.perf_counter()
        batch = Batch(
            recipes=recipes, references=references, on_step=on_step,
            previews=previews, on_preview=on_preview, until=until, parked=parked,
        )  # fmt: skip
        with warm.pipeline.tiled(group.vae_tile):
            denoised = denoise(warm.pipeline, warm.embeddings, batch)
        pixels = [self._enlarged(group, painted) for painted in denoised.pixels]
        paint_s = time.perf_counter() - loaded
        self._note_memory()
        return Painted(
            pixels=pixels,
            parked=denoised.parked,
            load_s=loaded - started,
            paint_s=paint_s,
            loads=int(is_cold),
            swaps=swaps,
            canary=canary,
        )

    def _enlarged(self, group: Group, painted: Pixels | None) -> Pixels | None:
        """A picture as its group wants it, each by itself."""
        if painted is None or group.upscale is None:
            return painted
        return self._upscaling.larger(painted, group.upscale)

    def _note_memory(self) -> None:
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device)
            self._working = max(self._working, peak - self._bytes_loaded())

    def _prove(
        self, warm: Warm, group: Group, folder: str, on_step: Callable[[int], None]
    ) -> Canary:
        """Paint canaries, once for each pipeline and each kind of batch that it is asked for. One
        that cannot even paint the first of them, or does not tell prompts apart, counts as not
        loaded.
        """
        subject = subject_of(group)

        def paint(recipes: Sequence[Recipe]) -> list[Pixels | None]:
            return denoise(
                warm.pipeline, warm.embeddings, Batch(recipes=recipes, on_step=on_step)
            ).pixels

        if warm.canaries and subject not in warm.canaries:
            warm.canaries[subject] = paint_canaries(group, paint)
        elif subject not in warm.canaries:
            try:
                with reasons(Path(folder)):
                    self._prove_prompts(warm.pipeline, group)
                    warm.canaries[subject] = paint_canaries(group, paint)
            except LoadFailed:
                del self.warm[group.model, group.dtype]
                raise
        return Canary(
            subject=subject, numerics_class=self.numerics_class, digest=warm.canaries[subject]
        )

    def forget(self) -> None:
        """Give back the memory of every pipeline, and of the upscaler."""
        self.warm.clear()
        self._upscaling.forget()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _warm(self, group: Group, folder: str) -> Warm:
        key = (group.model, group.dtype)
        if key not in self.warm:
            with reasons(Path(folder)):
                self.warm[key] = self._load(group, folder)
        self.warm.move_to_end(key)
        return self.warm[key]

    def _stand_beside(
        self, warm: Warm, group: Group, control: str | None, upscaler: str | None
    ) -> None:
        """Have the ControlNet of a group beside its pipeline, and its upscaler."""
        if group.control is not None:
            self._have(warm.controls, group.control, control, warm)
        if group.upscale is not None:
            self._have(self._upscaling, group.upscale, upscaler, warm)

    def _likeness(self, warm: Warm, group: Group, folder: str | None) -> None:
        """Have the IP-Adapter of a group in its pipeline."""
        if group.likeness is not None:
            self._have(warm.ip_adapters, group.likeness, folder, warm)
            warm.ip_adapters.put_on(group.likeness)

    def _have(
        self, beside: Beside[Wanted], wanted: Wanted, folder: str | None, warm: Warm
    ) -> None:
        """Have a part of a group loaded, from its folder."""
        if beside.has(wanted):
            return
        if folder is None:
            raise BadRequest(f"The {beside.kind} of a picture was not named: submit it again.")
        coming = beside.coming(Path(folder))
        beside.forget()
        self._make_room(coming, beside=warm)
        beside.load(wanted, Path(folder))

    def _bytes_loaded(self) -> int:
        return sum(warm.bytes for warm in self.warm.values()) + self._upscaling.bytes

    def _make_room(self, coming: int, *, beside: Warm | None = None) -> None:
        """Let pipelines go, those not used for longest first, until one of `coming` bytes has
        room beside the memory that painting takes. The one that is in use, and so was used last,
        stays.
        """
        before, kept = len(self.warm), int(beside is not None)
        while len(self.warm) > kept and self._bytes_loaded() + coming + self._working > (
            self._memory
        ):
            self.warm.popitem(last=False)
        if self.device.type == "cuda" and len(self.warm) < before:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(
                self.device
            )  # what counted with them does not count for the others

    def _load(self, group: Group, folder: str) -> Warm:
        path = Path(folder)
        if not path.is_dir():
            raise ModelMissing(f"its folder {path.name} is missing on {platform.node()}.")
        if (reading := self._read.pop(folder, None)) is not None:
            wait([reading])  # its digests are remembered, and an error in it comes again
        _require_weights(group, folder)
        family = family_of(group.pipeline)
        if family is None:
            raise LoadFailed(
                f"the diffusers of {platform.node()} has no text-to-image pipeline"
                f" {group.pipeline}."
            )
        self._make_room(bytes_in_files(path, DTYPES[group.dtype]))
        pipe = load_pipeline(path, family, DTYPES[group.dtype], self.device)
        _require_weights(group, folder)  # nor while they were read
        pipe.set_progress_bar_config(disable=True)
        adapters = Adapters(pipe, Weights(family.name, Path(folder)))
        pipeline = pipeline_class_of(family)(family, pipe)
        return Warm(
            pipeline=pipeline,
            embeddings=Embeddings(),
            adapters=adapters,
            controls=Controls(pipeline, DTYPES[group.dtype]),
            ip_adapters=IpAdapters(pipeline, DTYPES[group.dtype]),
            own_bytes=bytes_of(pipe.components.values()),
        )

    @torch.inference_mode()
    def _prove_prompts(self, pipeline: LoadedPipeline, group: Group) -> None:
        small = canary_group(group)
        prove_prompts(pipeline.pipe, lambda text: pipeline.read(text, small, new_scheduler(small)))


def _require_weights(group: Group, folder: str) -> None:
    if not has_weights(Path(folder), group.model):
        raise WeightsChanged(
            f"The weights in {folder} have changed since the campaign was submitted. Put the old"
            " ones back and let it go on (`farm resume`), or submit it again: under another name,"
            " or in its own place with `farm submit --update`."
        )


@lru_cache(maxsize=1)
def _cpu_name() -> str:
    """The processor's model: kernels choose their blocks by its caches."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
