"""`farm config`: every setting, its value, and where that comes from."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import AsJson, Home, Project, print_json, settings_for, show_table
from farm.config import Settings

HIDDEN = "********"


def config(home: Home = None, project: Project = None, as_json: AsJson = False) -> None:
    """Every setting, its value, and where that comes from. Secrets are hidden."""
    settings = settings_for(home, project)
    options = {name for name, value in (("home", home), ("project", project)) if value is not None}
    rows = list(described(settings, options))
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("variable", "value", "from", box=SIMPLE_HEAD)
    for row in rows:
        value = "" if row["value"] is None else str(row["value"])
        table.add_row(row["variable"], value, row["source"])
    show_table(table)


def described(settings: Settings, options: Collection[str]) -> list[dict[str, Any]]:
    """Each setting with its value and its source; `options` were given on the command line."""
    return [
        {
            "setting": name,
            "variable": f"FARM_{name.upper()}",
            "value": shown(getattr(settings, name)),
            "source": _source(name, settings, options),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]


def _source(name: str, settings: Settings, options: Collection[str]) -> str:
    if name in options:
        return "option"
    return "environment" if name in settings.model_fields_set else "default"


def shown(value: Any) -> Any:
    """A setting's value as it may be seen: without secrets, and without passwords in addresses."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple | list):
        return [shown(part) for part in value]
    if value is None or isinstance(value, bool | int | float | dict):
        return value
    return without_password(str(value))


def without_password(text: str) -> str:
    """An address whose password, and whose parameters, nobody can read."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    place = f"{name}{colon}{HIDDEN if colon else ''}{at}{host}"
    query = HIDDEN if parts.query else ""
    return urlunsplit((parts.scheme, place, parts.path, query, ""))
