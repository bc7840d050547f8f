"""What pydantic finds wrong with a campaign, as sentences of ours."""

from collections.abc import Iterable, Mapping

from pydantic_core import ErrorDetails

from farm.document import Path_, Problem, did_you_mean


def problem_of(error: ErrorDetails, keys: Mapping[str, Iterable[str]], within: str | None = None) -> Problem:
    """One of pydantic's errors as a sentence; `keys` has the keys of each section, `within` is the section that was checked alone."""
    outer = () if within is None else (within,)
    path: Path_ = (*outer, *(part for part in error["loc"] if part != "[key]"))
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            section = next((str(part) for part in path[-2::-1] if isinstance(part, str)), "")
            message = f"unknown key {path[-1]!r}: {did_you_mean(str(path[-1]), keys.get(section, ()))}"
        case "missing":
            message = f"the key {path[-1]!r} is missing."
            path = path[:-1]
        case "value_error":
            message = str(context["error"])
        case "string_pattern_mismatch" if path == ("name",):
            message = f"{error['input']!r} cannot name a campaign: use small letters, digits and hyphens, like spring-launch."
        case "string_pattern_mismatch":
            message = f"{error['input']!r} cannot name an axis: use letters, digits and underscores."
        case _:
            message = f"{_short(error['input'])} will not do: {error['msg'][0].lower()}{error['msg'][1:]}."
    return Problem(path, message)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of more than 4300 digits
        return "the number"
    return text if len(text) <= 60 else f"{text[:57]}..."
