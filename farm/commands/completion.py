"""Shell completion: the script for a shell, and the names that the running farm has."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from typer import completion as typer_completion

TIMEOUT_S = 1.0
"""A person waits for it after each press of the tabulator."""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """Print what a shell needs to complete commands, options, and names that the farm has."""
    script = typer_completion.get_completion_script(  # type: ignore[attr-defined]
        prog_name="farm", complete_var="_FARM_COMPLETE", shell=shell.value
    )
    typer.echo(script)


def campaign_names(incomplete: str) -> list[str]:
    """The campaigns of the project that begin so."""
    return _asked(lambda client: [row.campaign for row in client.campaigns()], incomplete)


def worker_names(incomplete: str) -> list[str]:
    """The workers that begin so."""
    return _asked(lambda client: [row.name for row in client.workers()], incomplete)


def campaign_and_worker_names(incomplete: str) -> list[str]:
    return campaign_names(incomplete) + worker_names(incomplete)


def model_names(incomplete: str) -> list[str]:
    """The models that campaigns of the project were painted with."""
    return _asked(lambda client: [row.model for row in client.campaigns()], incomplete)


def registered_model_names(incomplete: str) -> list[str]:
    """The registered models that begin so."""
    return _asked(lambda client: [row.name for row in client.registered("models")], incomplete)


def adapter_names(incomplete: str) -> list[str]:
    """The registered adapters that begin so."""
    return _asked(lambda client: [row.name for row in client.registered("adapters")], incomplete)


def _asked(ask: Callable[..., list[str]], incomplete: str) -> list[str]:
    """The answers of the running farm that begin with what was typed. Without a farm, or one that
    does not answer at once, there are none: a person who types wants no errors.
    """
    from farm.client.client import Client  # noqa: PLC0415  # for who presses the tabulator alone
    from farm.config import read_settings  # noqa: PLC0415
    from farm.home import Home  # noqa: PLC0415
    from storage.errors import SeedbedError  # noqa: PLC0415

    try:
        settings = read_settings()
        named = "url" in settings.model_fields_set
        url = settings.url if named else Home(settings.home).published_url()
        if url is None:
            return []
        with Client(
            url, project=settings.project, token=settings.secret, timeout_s=TIMEOUT_S
        ) as client:
            names = ask(client)
    except SeedbedError:
        return []
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
