"""What guidance is: not the same thing for every family of models. Pure."""

from enum import StrEnum


class GuidanceKind(StrEnum):
    """How the number of a recipe's guidance is used."""

    STANDARD = "standard"
    """Away from the picture of the negative prompt: unconditioned + g * (conditioned -
    unconditioned), for g above 1.
    """
    ANCHORED = "anchored"
    """Added to the picture of the prompt: conditioned + g * (conditioned - unconditioned), for g
    above 0.
    """
    EMBEDDED = "embedded"
    """The model reads the number, for which it was distilled: there is one pass a step."""
    TRUE = "true"
    """Standard guidance of a model that has an embedded one too, under a name of its own."""
    NONE = "none"
    """The number changes nothing, or the model has none."""


_WORDS = {
    GuidanceKind.STANDARD: "standard",
    GuidanceKind.ANCHORED: "anchored at the prompt",
    GuidanceKind.EMBEDDED: "embedded: the model reads the number",
    GuidanceKind.TRUE: "true CFG",
    GuidanceKind.NONE: "none at this number",
}


def kind_of(family: GuidanceKind, guidance: float | None) -> GuidanceKind:
    """What a number is to a model whose guidance is of a family's kind: at 1 and below, and
    anchored at 0, it is none.
    """
    off = {GuidanceKind.ANCHORED: 0.0, GuidanceKind.EMBEDDED: -1.0}.get(family, 1.0)
    return GuidanceKind.NONE if guidance is None or guidance <= off else family


def guidance_words(family: GuidanceKind, guidance: float | None) -> str:
    """A guidance as a person reads it, with the standard number that it equals if it is another
    kind: "guidance 3 (anchored at the prompt, 4 in standard numbers)".
    """
    if guidance is None:
        return "no guidance"
    kind = kind_of(family, guidance)
    equal = f", {guidance + 1:g} in standard numbers" if kind is GuidanceKind.ANCHORED else ""
    return f"guidance {guidance:g} ({_WORDS[kind]}{equal})"
