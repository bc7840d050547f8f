"""The values of labels: short, harmless, and so few that Prometheus can keep them. Pure."""

import re
from typing import TypeVar

MOST_MODELS = 50
MOST_PROJECTS = 100
MOST_POOLS = 20
MOST_TOGETHER = 100
OTHER = "other"
"""Stands for all names beyond the first so many."""

_LONGEST = 60
_STRANGE = re.compile(r"[^\w.@+:-]", re.ASCII)
_Labels = TypeVar("_Labels", bound=tuple[str, ...])


class Few:
    """The first names that are met, so many of them. All later ones are `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, name: str | None) -> str:
        label = plain(name or "none")
        if label not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known.add(label)
        return label


class FewTogether:
    """The first combinations of labels that are met, so many of them. Of all later ones the first
    label is `other`.
    """

    def __init__(self, limit: int = MOST_TOGETHER) -> None:
        self._limit = limit
        self._known: set[tuple[str, ...]] = set()

    def __call__(self, labels: _Labels) -> _Labels:
        if labels in self._known:
            return labels
        if len(self._known) < self._limit:
            self._known.add(labels)
            return labels
        return (OTHER, *labels[1:])  # type: ignore[return-value]  # of the same length


class Models:
    """The labels of models: the name under which this process met a model first, and the beginning
    of its weights' digest. A model that is named in two ways is one.
    """

    def __init__(self, limit: int = MOST_MODELS) -> None:
        self._limit = limit
        self._labels: dict[str, str] = {}

    def __call__(self, name: str, digest: str) -> str:
        label = self._labels.get(digest)
        if label is None:
            if len(self._labels) >= self._limit:
                return OTHER
            label = self._labels[digest] = model_label(name, digest)
        return label


def model_label(name: str, digest: str) -> str:
    """Like seedling@1f0c93ab: of a path its last part, of a hub's id what follows the owner."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1].partition("@")[0]
    return f"{plain(last.removesuffix('.safetensors')) or 'model'}@{plain(digest[:8])}"


def plain(text: str) -> str:
    """A text as a label: short, and without characters that pages or shells might take for
    something else.
    """
    return _STRANGE.sub("_", text[:_LONGEST])


class Names:
    """The labels that all series of one process share."""

    def __init__(self) -> None:
        self.model = Models()
        self.project = Few(MOST_PROJECTS)
        self.pool = Few(MOST_POOLS)
