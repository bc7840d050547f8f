"""Paints one batch with plain torch and diffusers. No Ray, no files written, no queue."""

import platform
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline
from torch import Tensor

from actors.canary import paint_canaries, subject_of
from actors.encode import Pixels
from actors.jobs import Canary
from actors.models import weights_digest
from actors.recipe import Group, Recipe
from storage.errors import SeedbedError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_PROMPTS_KEPT = 512  # 120 MB of Stable Diffusion's, of the device's own memory
_PIPELINES_KEPT = 2


class BadRequest(SeedbedError):
    """No worker can ever paint this."""


class WeightsChanged(BadRequest):
    """The model's folder holds other weights than those of the campaign."""


class ModelMissing(SeedbedError):
    """The model is not on this worker; it may be on another."""


class PromptTooLong(BadRequest):
    """A prompt would be cut off; `text` is it."""

    def __init__(self, text: str, tokens: int, room: int) -> None:
        super().__init__(f"A prompt has {tokens} tokens and the model reads {room}: shorten {text[:80]!r}.")
        self.text = text


@dataclass
class Warm:
    """A pipeline in memory, and its text encoder's answers so far."""

    pipe: Any  # a diffusers pipeline: its methods are not typed
    embed: Callable[[str], Tensor]
    canaries: dict[str, str] = field(default_factory=dict)
    """The hashes of its canaries, by subject."""


@dataclass(frozen=True)
class Painted:
    """A batch as it left the device: one uint8 [h, w, 3] array a recipe, or None where the numbers were not a picture."""

    pixels: list[Pixels | None]
    previews: dict[int, list[Pixels]]
    load_s: float
    paint_s: float
    canary: Canary | None = None
    """What this pipeline has proven about its numerics."""


class Engine:
    """Pipelines kept warm on one device, the least recently used one giving way to the next."""

    def __init__(self, *, device: str | None = None, threads: int = 1) -> None:
        """`threads` counts CPU threads; it decides pixels on a CPU, since kernels split their sums by it."""
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.threads = threads
        self.warm: OrderedDict[tuple[str, str], Warm] = OrderedDict()
        # No kernel is chosen by stopwatch: two runs, or two workers, could choose differently.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True

    @property
    def numerics_class(self) -> str:
        """Pixels are promised to be equal between workers whose classes are."""
        if self.device.type == "cuda":
            driver = torch._C._cuda_getDriverVersion()  # type: ignore[attr-defined]  # has no public name
            hardware = f"{torch.cuda.get_device_name(self.device)}:driver-{driver}"
        else:
            hardware = f"{_cpu_name()}:{torch.backends.cpu.get_cpu_capability()}:threads-{self.threads}"
        libraries = f"torch-{torch.__version__}:diffusers-{diffusers.__version__}:transformers-{transformers.__version__}"
        return f"{self.device.type}:{hardware}:{libraries}"

    def paint(
        self, recipes: Sequence[Recipe], folder: str, previews_every: int | None = None, *, on_step: Callable[[], None] = lambda: None
    ) -> Painted:
        """Paint up to a batch of recipes of one group; a short batch is padded to its shape. `on_step` is called after each step.

        Raises BadRequest where the model or a prompt cannot be used, Unstable where its pixels would not repeat, and
        torch.OutOfMemoryError where the device is too small.
        """
        torch.set_num_threads(self.threads)  # here, because torch keeps it by thread
        group = recipes[0].group
        started = time.perf_counter()
        warm = self._warm(group, folder)
        canary = self._prove(warm, group, on_step)
        loaded = time.perf_counter()
        pixels, previews = self._pictures(warm, recipes, previews_every, on_step)
        paint_s = time.perf_counter() - loaded
        return Painted(pixels=pixels, previews=previews, load_s=loaded - started, paint_s=paint_s, canary=canary)

    def _prove(self, warm: Warm, group: Group, on_step: Callable[[], None]) -> Canary:
        """Paint canaries, once for each pipeline and each kind of batch that it is asked for."""
        subject = subject_of(group)
        if subject not in warm.canaries:
            warm.canaries[subject] = paint_canaries(group, lambda recipes: self._pictures(warm, recipes, None, on_step)[0])
        return Canary(subject=subject, numerics_class=self.numerics_class, digest=warm.canaries[subject])

    def _pictures(
        self, warm: Warm, recipes: Sequence[Recipe], previews_every: int | None, on_step: Callable[[], None]
    ) -> tuple[list[Pixels | None], dict[int, list[Pixels]]]:
        group = recipes[0].group
        padded = [*recipes, *[recipes[-1]] * (group.batch - len(recipes))]
        on_step()
        images, seen = self._denoise(warm, group, padded, previews_every, on_step)
        if images.shape != (group.batch, 3, group.height, group.width):
            raise ValueError(f"The model made pictures of the shape {tuple(images.shape)}, not of {group.width}x{group.height}.")
        good = torch.isfinite(images).flatten(1).all(1) & (images.flatten(1).amax(1) > images.flatten(1).amin(1))
        arrays, fine = _to_pixels(images), good.tolist()
        pixels = [arrays[k] if fine[k] else None for k in range(len(recipes))]
        return pixels, {step: list(_to_pixels(seen[step])[: len(recipes)]) for step in seen}

    def forget(self) -> None:
        """Give back the memory of every pipeline."""
        self.warm.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _denoise(
        self, warm: Warm, group: Group, recipes: Sequence[Recipe], previews_every: int | None, on_step: Callable[[], None]
    ) -> tuple[Tensor, dict[int, Tensor]]:
        pipe = warm.pipe
        pipe.scheduler = _new_scheduler(group)
        generators = [torch.Generator("cpu").manual_seed(recipe.seed) for recipe in recipes]
        shape = (1, pipe.unet.config.in_channels, group.height // pipe.vae_scale_factor, group.width // pipe.vae_scale_factor)
        latents = torch.cat([torch.randn(shape, generator=g, dtype=torch.float32) for g in generators])
        seen: dict[int, Tensor] = {}

        def after_step(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step()
            return tensors

        if previews_every:
            _watch_steps(pipe.scheduler, lambda step, x0: seen.update({step: x0}), every=previews_every, last=group.steps)
        images = pipe(
            prompt_embeds=torch.cat([warm.embed(recipe.prompt) for recipe in recipes]),
            negative_prompt_embeds=torch.cat([warm.embed(recipe.negative) for recipe in recipes]),
            latents=latents.to(self.device, DTYPES[group.dtype]),
            generator=generators,  # for schedulers that draw noise at every step
            num_inference_steps=group.steps,
            guidance_scale=group.guidance,
            width=group.width,
            height=group.height,
            output_type="pt",
            callback_on_step_end=after_step,
            callback_on_step_end_tensor_inputs=[],
        ).images
        return images, {step: _decode(pipe, x0) for step, x0 in seen.items()}

    def _warm(self, group: Group, folder: str) -> Warm:
        key = (group.model, group.dtype)
        if key not in self.warm:
            while len(self.warm) >= _PIPELINES_KEPT:
                self.warm.popitem(last=False)
            self.warm[key] = self._load(group, folder)
        self.warm.move_to_end(key)
        return self.warm[key]

    def _load(self, group: Group, folder: str) -> Warm:
        if not Path(folder).is_dir():
            raise ModelMissing(f"The model folder {folder} is missing on {platform.node()}.")
        _require_weights(group, folder)
        pipe = StableDiffusionPipeline.from_pretrained(
            folder,
            torch_dtype=DTYPES[group.dtype],
            use_safetensors=True,
            local_files_only=True,
            safety_checker=None,
            requires_safety_checker=False,
        ).to(self.device)
        _require_weights(group, folder)  # nor while they were read
        pipe.set_progress_bar_config(disable=True)

        @lru_cache(maxsize=_PROMPTS_KEPT)
        @torch.inference_mode()
        def embed(text: str) -> Tensor:
            """[1, tokens, width]: always at this one shape, so that a prompt's numbers never depend on its neighbours."""
            tokens, room = len(pipe.tokenizer(text).input_ids), pipe.tokenizer.model_max_length
            if tokens > room:
                raise PromptTooLong(text, tokens, room)
            embedding: Tensor = pipe.encode_prompt(text, self.device, 1, False)[0]
            return embedding

        return Warm(pipe=pipe, embed=embed)


def _require_weights(group: Group, folder: str) -> None:
    if weights_digest(Path(folder)) != group.model:
        raise WeightsChanged(
            f"The weights in {folder} have changed since the campaign was submitted. Put the old ones back and let it go on "
            "(`farm resume`), or submit it anew: under another name, or in its own place with `farm submit --update`."
        )


@lru_cache(maxsize=1)
def _cpu_name() -> str:
    """The processor's model: kernels choose their blocks by its caches."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _new_scheduler(group: Group) -> Any:
    """A fresh one for each batch: some keep a history of their steps."""
    config = dict(group.scheduler_config)
    return getattr(diffusers, config.pop("_class_name")).from_config(config)


def _to_pixels(images: Tensor) -> Pixels:
    """Float [n, 3, h, w] in 0..1 to uint8 [n, h, w, 3], rounded on the device so that a quarter of the bytes leave it."""
    clean = torch.nan_to_num(images.float()).clamp(0, 1)
    array: Pixels = (clean * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def _decode(pipe: Any, latents: Tensor) -> Tensor:
    images = pipe.vae.decode(latents.to(pipe.vae.dtype) / pipe.vae.config.scaling_factor).sample
    return images / 2 + 0.5


def _watch_steps(scheduler: Any, see: Callable[[int, Tensor], None], *, every: int, last: int) -> None:
    """Show `see` the predicted x0 at every n-th step but the last. The scheduler's own numbers are read, never changed."""
    step = scheduler.step
    done = 0

    @wraps(step)
    def watched(model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        output = step(model_output, timestep, sample, *args, **{**kwargs, "return_dict": True})
        done += 1
        if done % every == 0 and done < last:
            see(done, _predicted_x0(scheduler, output, model_output, sample))
        return (output.prev_sample,)

    scheduler.step = watched


def _predicted_x0(scheduler: Any, output: Any, model_output: Tensor, sample: Tensor) -> Tensor:
    known: Tensor | None = getattr(output, "pred_original_sample", None)
    if known is not None:
        return known
    # The multistep solvers do not give it away; this is its definition at the step just made.
    alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[scheduler.step_index - 1])
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return alpha * sample - sigma * model_output
    return model_output if kind == "sample" else (sample - sigma * model_output) / alpha
