"""The API's routes about campaigns: submitting, reading, and controlling them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from farm.api.bodies import (
    AtStage,
    Bound,
    Name,
    Priority,
    Project,
    Retry,
    RuleName,
    Submission,
    Version,
)
from farm.api.needs import needs
from farm.api.routing import LINES, answers_with, api_router, shows
from farm.service.access import Deed
from farm.service.control import CampaignControl
from farm.service.estimate import Estimates
from farm.service.explaining import Explaining
from farm.service.reading import Reading
from farm.service.submission import Submissions
from farm.service.views import (
    CampaignStatus,
    CampaignVersion,
    Explanation,
    Plan,
    Retried,
    RuleCounts,
    SavedManifest,
    Submitted,
)
from storage.states import RenderState, Stage

Json = dict[str, Any]


def submission_routes(
    submissions: Submissions, estimates: Estimates, reading: Reading
) -> APIRouter:
    routes = api_router("campaigns")

    @routes.post(
        "/campaigns",
        responses={201: {"description": "The campaign was not there before."}},
        **shows(Submitted | Plan),
    )
    @needs(Deed.SUBMIT)
    def submit(submission: Submission, response: Response) -> Json:
        if submission.dry_run:
            return estimates.plan(
                submission.campaign,
                submission.project,
                update=submission.update,
                fresh=submission.fresh,
            )
        campaign, did = submissions.submit(
            submission.project,
            submission.campaign,
            update=submission.update,
            fresh=submission.fresh,
        )
        response.status_code = 201 if did["created"] else 200
        return {**reading.status(campaign.project, campaign.name), **did}

    return routes


def campaign_routes(reading: Reading) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get("/campaigns/{name}", **shows(CampaignStatus))
    @needs(Deed.LOOK)
    def status(name: Name, project: Project = "default", version: Version = None) -> Json:
        return reading.status(project, name, version)

    @routes.get("/campaigns/{name}/versions", **shows(list[CampaignVersion]))
    @needs(Deed.LOOK)
    def versions(name: Name, project: Project = "default") -> list[Json]:
        return reading.versions(project, name)

    return routes


def manifest_routes(reading: Reading) -> APIRouter:
    routes = api_router("campaigns")

    @routes.get("/campaigns/{name}/manifest", **answers_with(LINES))
    @needs(Deed.LOOK)
    def manifest(
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        failed_rule: RuleName = None,
        drift_above: Bound = None,
        drift_below: Bound = None,
    ) -> StreamingResponse:
        """`failed_rule` leaves only pictures that fail this rule of their brand, the other two
        those whose drift was measured and lies between them.
        """
        drift = (drift_above, drift_below)
        lines = reading.manifest(project, name, version, stage, failed_rule, drift)
        return StreamingResponse(lines, media_type=LINES)

    @routes.get("/campaigns/{name}/rules", **shows(RuleCounts))
    @needs(Deed.LOOK)
    def rules(
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Json:
        return reading.rules(project, name, version, stage)

    @routes.post("/campaigns/{name}/manifest", **shows(SavedManifest))
    @needs(Deed.CONTROL)
    def save_manifest(
        name: Name, project: Project = "default", stage: AtStage = Stage.FINAL
    ) -> Json:
        return {"manifest": reading.save_manifest(project, name, stage)}

    return routes


def control_routes(control: CampaignControl, reading: Reading) -> APIRouter:
    routes = api_router("control")

    @routes.post("/campaigns/{name}/pause", **shows(CampaignStatus))
    @needs(Deed.CONTROL)
    def pause(name: Name, project: Project = "default") -> Json:
        control.pause(project, name)
        return reading.status(project, name)

    @routes.post("/campaigns/{name}/resume", **shows(CampaignStatus))
    @needs(Deed.CONTROL)
    def resume(name: Name, project: Project = "default") -> Json:
        control.resume(project, name)
        return reading.status(project, name)

    @routes.post("/campaigns/{name}/cancel", **shows(CampaignStatus))
    @needs(Deed.CONTROL)
    def cancel(name: Name, project: Project = "default") -> Json:
        control.cancel(project, name)
        return reading.status(project, name)

    @routes.post("/campaigns/{name}/priority", **shows(CampaignStatus))
    @needs(Deed.CONTROL)
    def priority(name: Name, body: Priority, project: Project = "default") -> Json:
        control.set_priority(project, name, body.priority)
        return reading.status(project, name)

    @routes.post("/campaigns/{name}/retry", **shows(Retried))
    @needs(Deed.CONTROL)
    def retry(name: Name, body: Retry, project: Project = "default") -> Json:
        states = [
            state
            for state, wanted in ((RenderState.FAILED, body.failed), (RenderState.HELD, body.held))
            if wanted
        ]
        count = control.retry(project, name, states, body.render)
        why = [] if count else control.why_not_retried(project, name, states, body.render)
        return {**reading.status(project, name), "retried": count, "why": why}

    return routes


def explaining_routes(explaining: Explaining) -> APIRouter:
    routes = api_router("control")

    @routes.get("/campaigns/{name}/why", **shows(Explanation))
    @needs(Deed.LOOK)
    def why(
        name: Name,
        project: Project = "default",
        render: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    ) -> Json:
        return {"campaign": name, "render": render, "why": explaining.why(project, name, render)}

    return routes
