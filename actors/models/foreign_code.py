"""Configs that would have a library fetch code from elsewhere and run it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from actors.models.source import Facts

_KERNELS = frozenset(
    {"attn_implementation", "_attn_implementation", "_attn_implementation_internal"}
)
"""Keys that name how attention is computed: a word, or with a slash a repository of code."""


def foreign_code(facts: Facts) -> Iterator[str]:
    """A sentence for each key of a model's configs that asks for code of somebody else, however
    deep it stands.
    """
    for component, config in facts.configs.items():
        for key, value in _pairs(config):
            is_kernel = key in _KERNELS and "/" in str(value)
            if is_kernel or (key == "trust_remote_code" and value):
                yield (
                    f"{component}/config.json has {key}: {str(value)[:80]}, which fetches code and"
                    " runs it: take the key out."
                )


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at every depth."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            yield from one.items()
            left += one.values()
        elif isinstance(one, list):
            left += one
