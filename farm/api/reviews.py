"""The API's routes about reviews: reading them, deciding, taking decisions back, and redos."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from farm.api.bodies import Name, Project, Redo, Review, Undo
from farm.api.errors import to_json
from farm.api.needs import access_of, needs
from farm.api.routing import LINES, answers_with, api_router, shows
from farm.documents.document import DocumentError, Problem
from farm.service.access import Deed
from farm.service.review_reading import ReviewReading
from farm.service.review_rules import Choice
from farm.service.review_views import Decided, ReviewOverview
from farm.service.reviews import Change, ReviewService
from storage.errors import NotAllowed
from storage.reviews import NewDecision
from storage.states import Verdict

Json = dict[str, Any]
_FILTERS = ("shot", "seed", "where", "drift_below", "rule")


def review_routes(service: ReviewService, reading: ReviewReading) -> APIRouter:
    routes = api_router("reviews")

    @routes.get("/campaigns/{name}/reviews", **shows(ReviewOverview))
    @needs(Deed.LOOK, in_links=True)
    def overview(name: Name, project: Project = "default") -> Json:
        return reading.overview(project, name)

    @routes.get("/campaigns/{name}/reviews/waiting", **answers_with(LINES))
    @needs(Deed.LOOK)
    def waiting(
        name: Name,
        project: Project = "default",
        limit: Annotated[int, Query(ge=1, le=1_000_000)] = 100,
    ) -> StreamingResponse:
        lines = (to_json(line) + b"\n" for line in reading.waiting(project, name, limit))
        return StreamingResponse(lines, media_type=LINES)

    _add_deciding(routes, service)
    return routes


def _add_deciding(routes: APIRouter, service: ReviewService) -> None:
    @routes.post("/campaigns/{name}/reviews", **shows(Decided))
    @needs(Deed.REVIEW, in_links=True)
    def decide(request: Request, name: Name, body: Review, project: Project = "default") -> Json:
        if problems := _review_problems(body):
            raise DocumentError(problems)
        outsider = _outsider(request)
        if outsider is not None and body.reroll:
            raise NotAllowed("A link decides about pictures that are there, and paints none.")
        return service.decide(
            project,
            name,
            _choice(body),
            _decision(body, body.verdict, by=outsider, chosen_by=_chosen_by(body)),
            reroll=body.reroll,
            dry_run=body.dry_run,
        )

    @routes.post("/campaigns/{name}/reviews/undo", **shows(Decided))
    @needs(Deed.REVIEW, in_links=True)
    def undo(request: Request, name: Name, body: Undo, project: Project = "default") -> Json:
        """Whoever has opened a link takes back what was decided through it, and nothing else."""
        outsider = _outsider(request)
        new = _decision(body, None, by=outsider, undoes=body.entry)
        return service.undo(project, name, new, only_of=outsider)

    @routes.post("/campaigns/{name}/redo", **shows(Decided))
    @needs(Deed.REVIEW)
    def redo(name: Name, body: Redo, project: Project = "default") -> Json:
        if problems := _redo_problems(body):
            raise DocumentError(problems)
        change = Change(seed=body.seed, next_seed=body.next_seed, prompt=body.prompt)
        changed = {key: value for key, value in vars(change).items() if value}
        new = _decision(body, None, chosen_by={"redo": changed})
        return service.redo(project, name, body.numbers, change, new)


def _outsider(request: Request) -> str | None:
    """Whoever decides through a link: by its name, whatever they call themselves."""
    access = access_of(request)
    return None if access.link is None else access.person


def _review_problems(body: Review) -> list[Problem]:
    problems = []
    if body.numbers is not None:
        problems += [
            Problem((name,), "numbers choose renders already: give either them, or a filter.")
            for name in _FILTERS
            if getattr(body, name) not in (None, [])
        ]
    if body.verdict is Verdict.APPROVED:
        problems += [
            Problem((name,), "only a rejection has this: remove it.")
            for name in ("reason", "reroll")
            if getattr(body, name)
        ]
    return problems


def _redo_problems(body: Redo) -> list[Problem]:
    if body.seed is not None and body.next_seed:
        return [Problem(("seed",), "give a seed, or ask for the next one: not both.")]
    if body.seed is None and not body.next_seed and body.prompt is None:
        return [Problem((), "say what changes: `seed`, `next_seed` or `prompt`.")]
    return []


def _choice(body: Review) -> Choice:
    return Choice(
        numbers=None if body.numbers is None else tuple(body.numbers),
        shot=body.shot,
        seed=body.seed,
        where=tuple(body.where),
        drift_below=body.drift_below,
        rule=body.rule,
    )


def _chosen_by(body: Review) -> Json:
    """The filter as it was asked for; numbers are kept as such."""
    return {name: given for name in _FILTERS if (given := getattr(body, name)) not in (None, [])}


def _decision(
    body: Review | Undo | Redo,
    verdict: Verdict | None,
    *,
    by: str | None = None,
    undoes: int | None = None,
    chosen_by: Json | None = None,
) -> NewDecision:
    return NewDecision(
        client=body.client,
        sequence=body.sequence,
        verdict=verdict,
        undoes=undoes,
        reason=body.reason if isinstance(body, Review) else None,
        note=body.note,
        reviewer=by or body.by,
        chosen_by=chosen_by or {},
    )
