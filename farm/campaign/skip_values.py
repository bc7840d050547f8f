"""Which values of an axis a `skip` rule means: numbers are equal however they are written."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from pydantic import ValidationError

from farm.campaign.axes import Axis, Scalar
from farm.campaign.settings import SETTINGS, Settings
from farm.campaign.sources import NONE


class SkipValues:
    """The values of every variable, found by what a rule says."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._by_text: dict[str, dict[str, None]] = {}
        self._by_meaning: dict[str, dict[object, dict[str, None]]] = {}
        for axis in axes:
            for index in range(len(axis.values)):
                for variable, value in axis.assignments(index).items():
                    self._by_text.setdefault(variable, {})[str(value)] = None
                    self._by_meaning.setdefault(variable, {}).setdefault(
                        _meaning(variable, value), {}
                    )[str(value)] = None

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(self._by_text)

    def texts(self, variable: str) -> list[str]:
        """Every value of a variable, as text."""
        return list(self._by_text[variable])

    def meant(self, variable: str, value: Scalar, *, exactly: bool = False) -> list[str]:
        """The values that a rule means, as texts: all that are the same setting, and of words that
        with the same letters, else those that are the same number. With `exactly`, what has the
        same letters goes first for settings too.
        """
        same = [str(value)] if str(value) in self._by_text.get(variable, {}) else []
        if same and (exactly or variable not in SETTINGS):
            return same
        return list(self._by_meaning.get(variable, {}).get(_meaning(variable, value), same))

    def rules(
        self, rules: Sequence[Mapping[str, Scalar]], *, exactly: bool = False
    ) -> Iterator[dict[str, str]]:
        """The rules with the values that they mean, as texts: a rule for each choice of them."""
        for rule in rules:
            for choice in product(
                *(self.meant(variable, value, exactly=exactly) for variable, value in rule.items())
            ):
                yield dict(zip(rule, choice, strict=True))


def _meaning(variable: str, value: Scalar) -> object:
    """What two values have in common if they mean the same: a setting as it is read, a number,
    nothing, or the text itself.
    """
    if variable in SETTINGS:
        try:
            return getattr(Settings.model_validate({variable: value}), variable)
        except ValidationError:
            pass
    try:
        return float(value)
    except ValueError:
        return "" if value == NONE else str(value)
