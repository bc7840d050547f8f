"""Train the embedded model from nothing: `python -m actors.seedling.train --help`.

Two phases, as in latent diffusion (Rombach et al. 2022, arXiv:2112.10752): an autoencoder that
folds 128x128 pixels into 16x16 latents, then a UNet and its text encoder, together, on those
latents with v-prediction (Salimans & Ho 2022, arXiv:2202.00512). Every step draws its own batch,
noise and captions from (seed, step), so that a run stopped at a checkpoint and taken up again is
the same run.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from actors.seedling.captions import MAX_TOKENS, make_tokenizer, random_caption
from actors.seedling.checkpoint import load_checkpoint, save_checkpoint
from actors.seedling.data import Pictures, load_or_draw
from actors.seedling.planes import SIZE

LATENT_CHANNELS = 4
# a crop costs a quarter of a picture; the last third of the autoencoder's steps sees whole
# pictures
CROP = 64
TEXT_WIDTH = 128

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def new_autoencoder() -> AutoencoderKL:
    # No attention in the middle: what it learns on crops would not hold on whole pictures.
    return AutoencoderKL(
        sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(24, 48, 80, 80),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def new_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # trailing spacing ignores it; any other value makes diffusers warn
    )


# --- the loop that both phases share ---


def learning_rate(step: int, *, peak: float, total: int) -> float:
    """A short warm-up, a plateau, and a fall to nothing over the last quarter."""
    warm_up = min(1.0, (step + 1) / 200)
    fall = min(1.0, (total - step) / (0.25 * total))
    return peak * warm_up * math.sin(0.5 * math.pi * fall) ** 2


def fit(
    name: str,
    model: torch.nn.Module,
    loss_of_step: Callable[[int], Tensor],
    *,
    folder: Path,
    total: int,
    peak: float,
    save_every: int = 500,
) -> None:
    """Train `model` in place to step `total` and leave its averaged weights in it; goes on from
    `folder/name` if it is there.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=1e-2
    )
    ema = EMAModel(model.parameters(), decay=0.999, use_ema_warmup=True, power=3 / 4)
    first = load_checkpoint(folder / name, model, optimizer, ema)
    average = 0.0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress, (folder / f"{name}.log").open("a") as log:
        task = progress.add_task(name, total=total, completed=first)
        for step in range(first, total):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, peak=peak, total=total)
            loss = loss_of_step(step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            ema.step(model.parameters())
            average += (loss.item() - average) / min(step - first + 1, 100)
            progress.update(task, advance=1, description=f"{name} loss {average:.4f}")
            if (step + 1) % 100 == 0:
                print(f"step={step + 1} loss={average:.5f}", file=log, flush=True)
            if (step + 1) % save_every == 0 or step + 1 == total:
                save_checkpoint(folder / name, step + 1, model, optimizer, ema)
    ema.copy_to(model.parameters())


def _generators(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    rng = np.random.default_rng([seed, step])
    return rng, torch.Generator().manual_seed(int(rng.integers(2**63)))


# --- phase one: the autoencoder ---


def train_autoencoder(
    pictures: Pictures, *, folder: Path, steps: int, batch: int, seed: int, device: torch.device
) -> AutoencoderKL:
    vae = new_autoencoder().to(device).train()

    def loss_of_step(step: int) -> Tensor:
        rng, generator = _generators(seed, step)
        side = CROP if step < steps * 2 // 3 else SIZE
        whole = side == SIZE
        pixels = _to_unit(
            _crops(pictures.pixels, rng, count=batch // 2 if whole else batch, side=side)
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            posterior = vae.encode(pixels).latent_dist
            latents = posterior.mean + posterior.std * _noise(posterior.mean.shape, generator).to(
                device
            )
            decoded = vae.decode(latents).sample
        error = decoded.float() - pixels
        edges = _edges(decoded.float()) - _edges(pixels)
        kl = posterior.kl().float().mean() / pixels[0].numel()
        return error.abs().mean() + error.square().mean() + edges.abs().mean() + 1e-4 * kl

    fit("autoencoder", vae, loss_of_step, folder=folder, total=steps, peak=1.5e-3)
    return vae.eval()


def _crops(
    pixels: NDArray[np.uint8], rng: np.random.Generator, *, count: int, side: int
) -> NDArray[np.uint8]:
    rows = rng.integers(len(pixels), size=count)
    top, left = rng.integers(SIZE - side + 1, size=(2, count))
    return np.stack(
        [pixels[r, y : y + side, x : x + side] for r, y, x in zip(rows, top, left, strict=True)]
    )


def _to_unit(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [n, h, w, 3] to float in -1..1, [n, 3, h, w]."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1.0


def _noise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _edges(x: Tensor) -> Tensor:
    """Horizontal and vertical differences: their error keeps edges sharp where a plain distance
    would blur them.
    """
    return torch.cat(
        [(x[..., :, 1:] - x[..., :, :-1]).flatten(), (x[..., 1:, :] - x[..., :-1, :]).flatten()]
    )


def load_or_encode(
    path: Path, vae: AutoencoderKL, pictures: Pictures, device: torch.device
) -> Tensor:
    """Latents of every picture, float16 [n, 4, 16, 16], scaled to unit deviation; the scale goes
    into the autoencoder's config.
    """
    if not path.exists():
        save_file({"latents": _encode_all(vae, pictures, device)}, path)
    latents = load_file(path)["latents"].float()
    scale = round(1.0 / latents.std().item(), 5)
    vae.register_to_config(scaling_factor=scale)
    return (latents * scale).half()


@torch.inference_mode()
def _encode_all(
    vae: AutoencoderKL, pictures: Pictures, device: torch.device, batch: int = 32
) -> Tensor:
    parts = []
    with torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(pictures.pixels), batch):
            pixels = _to_unit(pictures.pixels[start : start + batch]).to(device)
            parts.append(vae.encode(pixels).latent_dist.mean.float().cpu())
    return torch.cat(parts).half()


# --- phase two: the UNet and its text encoder ---


def train_diffusion(
    latents: Tensor,
    pictures: Pictures,
    tokenizer: CLIPTokenizer,
    *,
    folder: Path,
    steps: int,
    batch: int,
    seed: int,
    device: torch.device,
) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    model = (
        torch.nn.ModuleDict({"unet": new_unet(), "text_encoder": new_text_encoder(tokenizer)})
        .to(device)
        .train()
    )
    scheduler = new_scheduler()

    def loss_of_step(step: int) -> Tensor:
        rng, generator = _generators(seed + 1, step)
        rows = rng.integers(len(latents), size=batch)
        captions = [random_caption(pictures.subjects[row], rng) for row in rows]
        tokens = tokenizer(
            captions,
            padding="max_length",
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        ).input_ids
        clean = latents[torch.from_numpy(rows)].float()
        noise = _noise(clean.shape, generator)
        # One time in each of `batch` equal strata: the loss of a step then hardly depends on which
        # times were drawn.
        times = (
            (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch * 1000
        ).long()
        noisy = scheduler.add_noise(clean, noise, times).to(device)
        target = scheduler.get_velocity(clean, noise, times).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            states = model["text_encoder"](tokens.to(device)).last_hidden_state
            predicted = model["unet"](noisy, times.to(device), states).sample
        return functional.mse_loss(predicted.float(), target)

    fit("diffusion", model, loss_of_step, folder=folder, total=steps, peak=1e-3)
    unet, text_encoder = model["unet"].eval(), model["text_encoder"].eval()
    assert isinstance(unet, UNet2DConditionModel)
    assert isinstance(text_encoder, CLIPTextModel)
    return unet, text_encoder


# --- the whole of it ---


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Where the finished pipeline goes.")],
    work: Annotated[
        Path, typer.Option(help="Pictures, checkpoints and logs; a stopped run goes on from here.")
    ],
    pictures: Annotated[int, typer.Option(help="How many pictures are drawn.")] = 24_000,
    vae_steps: Annotated[int, typer.Option(help="Steps of the autoencoder.")] = 7_000,
    unet_steps: Annotated[int, typer.Option(help="Steps of the UNet and text encoder.")] = 8_000,
    vae_batch: int = 16,
    unet_batch: int = 64,
    seed: int = 2026,
    device: Annotated[str, typer.Option(help="cpu or cuda; found when not given.")] = "",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Draw the training set, train both phases, and save a pipeline that diffusers loads."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    drawn = load_or_draw(work, count=pictures, seed=seed, workers=threads)
    tokenizer = make_tokenizer(work / "tokenizer")
    vae = train_autoencoder(
        drawn, folder=work, steps=vae_steps, batch=vae_batch, seed=seed, device=target
    )
    latents = load_or_encode(
        work / f"latents-{seed}-{pictures}-{vae_steps}.safetensors", vae, drawn, target
    )
    unet, text_encoder = train_diffusion(
        latents,
        drawn,
        tokenizer,
        folder=work,
        steps=unet_steps,
        batch=unet_batch,
        seed=seed,
        device=target,
    )
    save_pipeline(out, vae=vae, unet=unet, text_encoder=text_encoder, tokenizer=tokenizer)


def save_pipeline(
    out: Path,
    *,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write the plain diffusers folder, its weights as float16: half the size, and far finer than
    the training noise.
    """
    StableDiffusionPipeline(
        vae=vae.half(),
        unet=unet.half(),
        text_encoder=text_encoder.half(),
        tokenizer=tokenizer,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(out, safe_serialization=True)


if __name__ == "__main__":
    app()
