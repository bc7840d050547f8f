"""Versions of a campaign: what an update has replaced is kept, and can be read as NAME@NUMBER."""

import re
from typing import Any

from storage.errors import RequestError
from storage.rows import CampaignRow

Json = dict[str, Any]
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def split_version(text: str) -> tuple[str, int | None]:
    """A campaign's name, and the number of the version if one is named, as in spring@2."""
    name, at, number = text.partition("@")
    if not at:
        return name, None
    if not _VERSION.fullmatch(number):
        raise RequestError(
            f"{text!r} names no version: write {name or 'NAME'}@NUMBER, like {name or 'NAME'}@1."
        )
    return name, int(number)


def only_present(text: str) -> str:
    """The name of a campaign that something is to be done with. Raises RequestError if a version
    is named.
    """
    name, number = split_version(text)
    if number is not None:
        raise RequestError(
            f"{text} names one version, of which pictures, sheet and manifest can be read: for all"
            f" else write {name}."
        )
    return name


def version_json(row: CampaignRow) -> Json:
    """A version as the API lists it."""
    return {
        "version": row.version,
        "renders": {"total": row.total, "done": row.done, "failed": row.failed, "held": row.held},
        "replaced_at": row.pruned_at,
    }
