"""Which denoising steps of a picture are kept to be looked at, and how they are decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Decode(StrEnum):
    """How the latents of a step become a picture."""

    FULL = "full"
    """By the model's own VAE, at the picture's size."""
    FAST = "fast"
    """By a linear map that was fitted to that VAE: one pixel for each latent pixel."""


@dataclass(frozen=True, kw_only=True)
class Previews:
    """Each `every`-th step, and those nearest to the fractions `at` of all steps. The last step is
    the picture itself, and never among them.
    """

    every: int | None = None
    at: tuple[float, ...] = ()
    decode: Decode = Decode.FULL

    @property
    def name(self) -> str:
        """Equal for two that keep the same files of the same recipe; of the form that every
        version has known, the number alone.
        """
        parts = [] if self.every is None else [str(self.every)]
        parts += ["at", *(f"{fraction:g}" for fraction in self.at)] if self.at else []
        parts += [] if self.decode is Decode.FULL else [self.decode.value]
        return "-".join(parts)

    def steps(self, made: int) -> tuple[int, ...]:
        """The steps kept of a picture that makes that many, in order, counted from 1."""
        kept = set(range(self.every, made, self.every)) if self.every else set()
        return tuple(sorted(kept | {step_at(fraction, made) for fraction in self.at if made > 1}))


def step_at(fraction: float, made: int) -> int:
    """The step, of 2 or more, nearest to a fraction of them: at least the first, and before the
    last.
    """
    return min(max(1, round(fraction * made)), made - 1)


def preview_steps(previews: Previews | None, made: int) -> Sequence[int]:
    """The steps of which previews are kept, of a picture that makes `made`."""
    return previews.steps(made) if previews else ()
