"""Prompt templates: plain `{name}` fields, nothing executable."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter


class TemplateError(ValueError):
    """A mistake in a template, as a sentence."""


@dataclass(frozen=True)
class Template:
    """A text with `{name}` fields; `{{` and `}}` stand for braces."""

    text: str

    def __post_init__(self) -> None:
        _ = self.fields

    @cached_property
    def fields(self) -> frozenset[str]:
        """Raises TemplateError for anything but plain names in the braces."""
        return frozenset(name for _, name in self.parts if name is not None)

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with its fields replaced; braces inside the values stay as they are."""
        return "".join(
            before + ("" if name is None else str(values[name])) for before, name in self.parts
        )

    @cached_property
    def parts(self) -> tuple[tuple[str, str | None], ...]:
        """The text in pieces, each with the field that follows it, if one does."""
        try:
            parsed = list(Formatter().parse(self.text))
        except ValueError as exc:
            raise TemplateError(
                f"the braces do not match ({exc}): write {{{{ and }}}} for braces that are text."
            ) from exc
        parts = []
        for before, name, spec, conversion in parsed:
            if name is not None and (
                spec or conversion or not re.fullmatch(r"[A-Za-z_]\w*", name)
            ):
                ending = f"{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
                field = f"{{{name}{ending}}}"
                raise TemplateError(
                    f"{field} is not a plain field: only names like {{color}} may stand in"
                    f" braces.{_hint(field)}"
                )
            parts.append((before, name))
        return tuple(parts)


def _hint(inside: str) -> str:
    """What to write instead of what other tools write in braces."""
    return " A choice between words has a name: {color: red|blue}." if "|" in inside else ""
