"""What pydantic finds wrong with a campaign, as sentences of ours."""

from collections.abc import Iterable, Mapping

from pydantic_core import ErrorDetails

from farm.documents.document import Problem, did_you_mean
from farm.documents.foreign_words import foreign_hint, own_word
from farm.documents.parsed import Path_


def problem_of(
    error: ErrorDetails, keys: Mapping[str, Iterable[str]], within: str | None = None
) -> Problem:
    """One of pydantic's errors as a sentence; `keys` has the keys of each section, `within` is the
    section that was checked alone.
    """
    outer = () if within is None else (within,)
    path: Path_ = (*outer, *(part for part in error["loc"] if part != "[key]"))
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            section = next((str(part) for part in path[-2::-1] if isinstance(part, str)), "")
            message = f"unknown key {path[-1]!r}: {_key_hint(str(path[-1]), section, keys)}"
        case "missing":
            message = f"the key {path[-1]!r} is missing."
            path = path[:-1]
        case "value_error":
            message = str(context["error"])
        case "string_pattern_mismatch" if path == ("name",):
            message = (
                f"{error['input']!r} cannot name a campaign: use small letters, digits and"
                " hyphens, like spring-launch."
            )
        case "string_pattern_mismatch":
            message = (
                f"{error['input']!r} cannot name an axis: use letters, digits and underscores."
            )
        case "string_type" if unquoted := _no_text(error["input"]):
            message = unquoted
        case _:
            message = (
                f"{_short(error['input'])} will not do:"
                f" {error['msg'][0].lower()}{error['msg'][1:]}."
            )
    return Problem(path, message)


def _key_hint(word: str, section: str, keys: Mapping[str, Iterable[str]]) -> str:
    """What a key that the section does not have is called, or where it stands."""
    if section in ("", "settings"):
        own = own_word(word) or word
        elsewhere = next(
            (
                place
                for place in ("", "settings")
                if place != section and own in keys.get(place, ())
            ),
            None,
        )
        if elsewhere is not None:
            return (
                f"{own!r} stands under `{elsewhere}`."
                if elsewhere
                else f"{own!r} is a key of its own, outside of `settings`."
            )
        if hint := foreign_hint(word):
            return f"{hint}."
    return did_you_mean(word, keys.get(section, ()))


def _no_text(value: object) -> str | None:
    """What stands where a text is expected: most often YAML has read a text without quotes as
    something else.
    """
    if value is None:
        return "nothing is written here, and a text is expected: write one, or remove the key."
    if isinstance(value, bool):
        return f"YAML reads this as {str(value).lower()}, not as text: put it in quotes."
    if isinstance(value, Mapping | list):
        return (
            f"this is read as a {'list' if isinstance(value, list) else 'mapping'}, not as text:"
            " put a text in quotes."
        )
    return None


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of more than 4300 digits
        return "the number"
    return text if len(text) <= 60 else f"{text[:57]}..."
