"""How a command finds a farm: one that runs, or the API over the home in its own process."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from farm.client.client import Client
from farm.config import Settings
from farm.home import Home
from storage.errors import SeedbedError, Unreachable


def client_of(settings: Settings, url: str, project: str | None = None) -> Client:
    """A client that shows FARM_TOKEN, or to the farm of one's own home the token that it keeps
    there.
    """
    token = settings.secret or Home(settings.home).token_of(url)
    return Client(url, project=project or settings.project, token=token)


@contextmanager
def open_client(settings: Settings) -> Iterator[Client]:
    """A client of the farm that serves this home; where none runs, of its API in this process,
    which reads the same state.
    """
    url = running_farm(settings)
    if url is not None:
        with client_of(settings, url) as client:
            yield client
        return
    if "url" in settings.model_fields_set:
        raise Unreachable(
            f"No farm answers at {settings.url} (FARM_URL): start it with `farm up`, or unset"
            " FARM_URL."
        )
    from farm.api.serving import serve  # noqa: PLC0415
    from farm.app import (  # noqa: PLC0415
        open_app,
    )  # it loads a web server and a database, which a running farm has already

    # Whoever can open the database may do anything; whoever else finds this port may not.
    token = settings.secret or secrets.token_urlsafe(32)
    with (
        open_app(settings, own_token=token) as app,
        serve(app, 0) as url,
        Client(url, project=settings.project, token=token) as client,
    ):
        yield client


def running_farm(settings: Settings) -> str | None:
    """Where a farm answers: the one that FARM_URL names, else the one that serves this home."""
    named = "url" in settings.model_fields_set
    home = Home(settings.home)
    for url in [settings.url] if named else filter(None, [home.published_url(), settings.url]):
        with client_of(settings, url) as client:
            try:
                if client.health().home == home.digest or named:
                    return url
            except SeedbedError:
                continue
    return None
