"""What a campaign file says of denoising steps, and of how far pictures may drift."""

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from actors.recipes import previews
from actors.recipes.drift import DriftAction

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
_MOST_FRACTIONS = 8


def _fine(fraction: float) -> float:
    if round(fraction, 3) != fraction:
        raise ValueError(f"a fraction has at most three decimals, like {fraction:.3f}.")
    return fraction


def _rising(fractions: tuple[float, ...]) -> tuple[float, ...]:
    if not fractions:
        raise ValueError("the list is empty: write at least one fraction, like [0.4].")
    return tuple(sorted(set(fractions)))


Fraction = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False), AfterValidator(_fine)]
Fractions = Annotated[
    tuple[Fraction, ...],
    Field(strict=False, max_length=_MOST_FRACTIONS),
    AfterValidator(_rising),
]


class Previews(BaseModel):
    """Keep a picture of the predicted x0 at every step that `every` divides, or of the steps
    nearest to the fractions `at` of all steps; decoded by the model's VAE, or fast.
    """

    model_config = _STRICT

    every: Annotated[int, Field(ge=1)] | None = None
    at: Fractions | None = None
    decode: Annotated[previews.Decode, Field(strict=False)] = previews.Decode.FULL

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.every is None) == (self.at is None):
            raise ValueError(
                "previews are kept at `every: 5` steps, or `at: [0.2, 0.5]` of them: write one of"
                " the two."
            )
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys that nobody wrote are left out: a campaign of before `at` is still the same."""
        values: dict[str, Any] = dump(self)
        if self.decode is previews.Decode.FULL:
            values.pop("decode", None)
        return {name: value for name, value in values.items() if value is not None}

    @property
    def kept(self) -> previews.Previews:
        return previews.Previews(every=self.every, at=self.at or (), decode=self.decode)


class Drift(BaseModel):
    """How far a picture's composition may be from its anchor, and what happens beyond that; `stop`
    looks at the step nearest to the fraction `at` of all steps.
    """

    model_config = _STRICT

    limit: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    action: Annotated[DriftAction, Field(strict=False)] = DriftAction.HOLD
    at: Fraction = 0.4

    @model_validator(mode="after")
    def _has_limit(self) -> Self:
        if self.limit is None and self.action is not DriftAction.STOP:
            raise ValueError(
                "it has no limit: write one from 0 to 1, like `drift: {limit: 0.3}`. `action:"
                " stop` alone may leave it to what was calibrated for the model."
            )
        return self
