"""The API's routes about denoising steps and drift: filmstrips, calibration, and what was measured
of models.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from farm.api.bodies import Calibrating, Measured, Name, Project
from farm.api.needs import needs
from farm.api.routing import answers_with, api_router, shows
from farm.service.access import Deed
from farm.service.step_views import Calibrated, ModelProfile, Savings
from farm.service.steps import StepReading

Json = dict[str, Any]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


def step_routes(steps: StepReading) -> APIRouter:
    routes = api_router("steps")

    @routes.get("/campaigns/{name}/steps", **answers_with("image/png"))
    @needs(Deed.LOOK)
    def filmstrip(
        name: Name,
        project: Project = "default",
        where: Annotated[str, Query(max_length=10_000)] = "",
    ) -> Response:
        """The previews of each picture that has some, and the picture, side by side. `where` has
        conditions like `product=mug`, one a line.
        """
        picture = steps.filmstrip(project, name, where.splitlines())
        return Response(picture, media_type="image/png")

    @routes.post("/campaigns/{name}/calibrate", **shows(Calibrated))
    @needs(Deed.LEARN)
    def calibrate(name: Name, body: Calibrating, project: Project = "default") -> Json:
        """Says how early drift can be told, and remembers it for the campaign's model."""
        return steps.calibrate(project, name, body.limit)

    @routes.get("/campaigns/{name}/drift", **shows(Savings))
    @needs(Deed.LOOK)
    def savings(name: Name, project: Project = "default") -> Json:
        """What stopping pictures early has saved."""
        return steps.savings(project, name)

    @routes.get("/models/{digest}", **shows(ModelProfile))
    @needs(Deed.KNOW)
    def profile(digest: Digest) -> Json:
        """The measurements of a model, by the digest of its weights."""
        return steps.profile(digest)

    @routes.post("/models/{digest}", **shows(ModelProfile))
    @needs(Deed.LEARN)
    def learn(digest: Digest, body: Measured) -> Json:
        """Remembers how much of a composition a seed decides."""
        return steps.learn(digest, {"grip": body.grip, "measure": body.measure})

    return routes
