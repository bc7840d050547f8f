"""Making pages: templates with everything escaped, and the headers that keep a page to itself."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import DictLoader, Environment, StrictUndefined

from farm.documents.counting import counted
from farm.service.access import Access, Deed
from farm.web import words
from farm.web.static_files import StaticFiles

POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load and do. Modules that a script with the nonce imports have it too."""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # without any, browsers hide where forms come from
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


@dataclass(frozen=True)
class NavLink:
    """An entry of the navigation: its word, where it leads, and the name of its page. Whoever may
    not do the deed anywhere does not see it.
    """

    word: str
    path: str
    page: str
    deed: Deed = Deed.KNOW


NAVIGATION = (
    NavLink("Campaigns", "/", "campaigns"),
    NavLink("New campaign", "/new", "new"),
    NavLink("Models", "/models", "models", Deed.LOOK),
    NavLink("Fleet", "/fleet", "fleet", Deed.SEE_FLEET),
    NavLink("Events", "/events", "events", Deed.LOOK),
    NavLink("Projects", "/projects", "projects", Deed.LOOK),
)
"""The pages that every page leads to."""


def links_for(access: Access | None) -> list[NavLink]:
    """The entries for whoever asks; None is somebody who is not known yet."""
    return [link for link in NAVIGATION if link.deed is Deed.KNOW or _may(access, link.deed)]


def _may(access: Access | None, deed: Deed) -> bool:
    return access is not None and (access.may(deed) or bool(access.projects(deed)))


@dataclass(frozen=True)
class Renderer:
    """Fills templates."""

    static: StaticFiles
    templates: Environment = field(repr=False)

    def page(
        self, request: Request, template: str, /, status: int = 200, **values: Any
    ) -> Response:
        """A page of its own. `page` among the values says which entry of the navigation it is."""
        access = getattr(request.state, "access", None)
        link = None if access is None else access.link
        nonce = secrets.token_urlsafe(16)
        shared: Mapping[str, Any] = {
            "nonce": nonce,
            "static": self.static.url,
            "navigation": () if link else links_for(access),
            "home": f"/campaigns/{link.project}/{link.campaign}" if link else "/",
            "is_logged_in": getattr(request.state, "is_logged_in", False),
            "link": link,
            "path": request.url.path,
            "page": None,
        }
        text = self.templates.get_template(template).render({**shared, **values})
        headers = {**HEADERS, "Content-Security-Policy": POLICY.format(nonce=nonce)}
        return HTMLResponse(text, status, headers=headers)


def environment() -> Environment:
    """The templates of the package. All that they show is escaped, whatever they are called, and a
    name that nobody set is an error.
    """
    folder = files(__package__).joinpath("templates")
    templates = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir()}
    made = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "state_word": words.state_word,
        "grouped": words.grouped,
        "counted": counted,
        "duration": words.duration,
        "size": words.size,
        "utc": words.utc,
        "plain_time": words.plain_time,
        "percent": words.percent,
    }
    return made
