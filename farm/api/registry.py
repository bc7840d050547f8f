"""The API's routes about registered models and adapters."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.campaign.addresses import NAME
from farm.service.access import Deed
from farm.service.registry import RegistryService
from farm.service.registry_views import RegisteredView

Json = dict[str, Any]
_DIGEST = r"^[0-9a-f]{8,64}$"
_STRICT = ConfigDict(extra="forbid", strict=True)
_ADDRESS = r"^[^\x00-\x1f\x7f-\x9f]+$"

Registered = Annotated[str, Path(pattern=f"^{NAME}$")]
Digest = Annotated[str | None, Query(pattern=_DIGEST, description="The beginning of one.")]


class Kind(StrEnum):
    """Models, or adapters, as paths name them."""

    MODELS = "models"
    ADAPTERS = "adapters"

    @property
    def one(self) -> str:
        return self.value.removesuffix("s")


class NewRegistered(BaseModel):
    """A name, and its source: a folder of the farm's machine, a hub id at a revision, a prefix of
    a bucket, or a single-file checkpoint with a folder that it is `like`. An adapter comes from a
    `.safetensors` file, or a folder or a prefix with exactly one.
    """

    model_config = _STRICT

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    source: Annotated[str, Field(min_length=1, max_length=1000, pattern=_ADDRESS)]
    like: Annotated[str, Field(min_length=1, max_length=1000, pattern=_ADDRESS)] | None = None


class Removal(BaseModel):
    """The version to remove, by the beginning of its digest; null for all of the name."""

    model_config = _STRICT

    digest: Annotated[str, Field(pattern=_DIGEST)] | None = None


def registry_routes(registry: RegistryService) -> APIRouter:
    routes = api_router("registry")

    @routes.get("/registry/{kind}", **shows(list[RegisteredView]))
    @needs(Deed.KNOW)
    def all_registered(kind: Kind) -> list[Json]:
        """Every version, by name, the newest of each name first."""
        return registry.all(kind.one)

    @routes.post("/registry/{kind}", **shows(RegisteredView))
    @needs(Deed.REGISTER)
    def add(kind: Kind, body: NewRegistered) -> Json:
        """Stores the files that the outputs do not have yet. That may take minutes; what broke off
        is taken up again by the same order.
        """
        return registry.add(kind.one, body.name, body.source, body.like)

    @routes.get("/registry/{kind}/{registered}", **shows(RegisteredView))
    @needs(Deed.KNOW)
    def show(kind: Kind, registered: Registered, digest: Digest = None) -> Json:
        return registry.show(kind.one, registered, digest)

    @routes.post("/registry/{kind}/{registered}/remove", **shows(list[RegisteredView]))
    @needs(Deed.REGISTER)
    def remove(kind: Kind, registered: Registered, body: Removal) -> list[Json]:
        return registry.remove(kind.one, registered, body.digest)

    return routes
