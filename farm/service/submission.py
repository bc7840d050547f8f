"""What the farm does for those who ask: submit, look, and hand out results. The API is a thin skin
over it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from farm.campaign.checks import parse_campaign
from farm.campaign.chunks import Size, chunk_size, chunks_of, in_order, plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.schema import MAX_RENDERS
from farm.campaign.seeding import DERIVATION
from farm.campaign.specs import derivation_of, difference, expansion_of, fingerprint, make_spec
from farm.campaign.texts import overruled
from farm.campaign.warnings import campaign_warnings
from farm.cost import SECONDS_PER_MEGAPIXEL_STEP
from farm.documents.document import DocumentError, Problem, problem_json
from farm.results.manifest import manifest_line, manifest_lines, write_manifest
from farm.results.sheet import sheet_of
from farm.results.versions import version_json
from farm.results.where import read_conditions, resolve
from farm.scheduling.budget import is_spent, spent_sentence
from farm.scheduling.values import NO_QUOTAS
from farm.scheduling.why import (
    Farm,
    nothing_to_retry,
    render_not_retried,
    standstill,
    why_campaign,
    why_render,
    without_its_class,
)
from farm.service.fit import check_fit
from farm.service.intake import Intake
from farm.service.model_warnings import model_warnings
from farm.service.prompts import check_prompts
from farm.service.update import Digests, Kept, compare, counts, outlook
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import AlreadyThere, NotFound, RequestError
from storage.keys import campaign_folder
from storage.rows import ANY_CLASS, CampaignRow, NewCampaign, NewChunk, WorkerRow
from storage.states import RenderState
from storage.store import Outputs
from storage.watching import Watching

UPDATES_TRIED = 3

Json = dict[str, Any]


class Service:
    """The farm, to whoever may ask."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        control: Control,
        watching: Watching,
        outputs: Outputs,
        intake: Intake | None = None,
        chunk: int | None = None,
        quotas: Mapping[str, int] = NO_QUOTAS,
    ) -> None:
        self._campaigns = campaigns
        self._control = control
        self._watching = watching
        self._outputs = outputs
        self._intake = intake or Intake(outputs)
        self._chunk = chunk
        self._quotas = quotas

    # --- submitting ---

    def submit(
        self, project: str, data: Json, *, update: bool = False, fresh: bool = False
    ) -> tuple[CampaignRow, Json]:
        """Store a campaign, and say what that did and what may not be meant. The same campaign
        again changes nothing, but lets a halted one go on, if that is not for its budget, which is
        as spent as before; another under its name is refused, or with `update` takes its place:
        what is the same is kept, what is gone is retired. With `fresh`, nothing is kept or copied:
        all of it is painted, again where it was painted before.

        Raises DocumentError for a campaign that is wrong, RequestError where another stands under
        its name.
        """
        expansion, spec = self._check(data)
        row, did = self._store(project, expansion, spec, update=update, fresh=fresh)
        return row, {**did, "warnings": _warnings(data, expansion, derivation_of(row.spec))}

    def _store(
        self, project: str, expansion: Expansion, spec: Json, *, update: bool, fresh: bool
    ) -> tuple[CampaignRow, Json]:
        size = self._size(expansion)
        new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
        self._intake.keep(project, expansion.sources)
        try:
            return self._campaigns.add(new, plan_chunks(expansion, size)), {"created": True}
        except AlreadyThere:
            known = self._campaigns.get(project, new.name)
        is_other = new.fingerprint not in (
            known.fingerprint,
            fingerprint(known.spec),
        )  # an earlier version may have counted otherwise
        if is_other and not update:
            raise RequestError(
                f"A different campaign {new.name} was submitted before: give this one another"
                " name, or put it in the other's place with"
                f" --update.\n{difference(known.spec, spec)}"
            )
        if is_other or fresh:
            expansion, spec = _derived_as(known.spec, expansion, spec)
            new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
            return self._update(known, new, expansion, self._size(expansion))
        if known.halted is not None and not is_spent(known):
            self._control.resume(known.id)
        did: Json = {"created": False} | (
            {"updated": counts(known.total, known.total, known.total)} if update else {}
        )
        return self._campaigns.get(project, new.name), did

    def _update(
        self, known: CampaignRow, new: NewCampaign, expansion: Expansion, size: Size
    ) -> tuple[CampaignRow, Json]:
        for _ in range(UPDATES_TRIED):
            kept, chunks = self._kept(known, new, expansion, size)
            if self._control.replace(known.id, new, kept, chunks):
                row = self._campaigns.get(new.project, new.name)
                return row, {
                    "created": False,
                    "updated": counts(known.total, new.total, len(kept)),
                }
        raise RequestError(
            f"The campaign {new.name} changes too fast to be updated: pause it first."
        )

    def _kept(
        self, known: CampaignRow, new: NewCampaign, expansion: Expansion, size: Size
    ) -> tuple[Kept, Iterator[NewChunk]]:
        """What stays of the version before, as (new number, old number), and the chunks of all
        else.
        """
        if new.is_fresh:
            return [], plan_chunks(expansion, size)
        kept, missing = compare(expansion_of(known.spec), expansion, self._digests_of(known))
        return kept, chunks_of(expansion, in_order(expansion, missing), size, total=len(missing))

    # --- control ---

    def pause(self, project: str, name: str) -> None:
        self._control.pause(self._open(project, name, "paused").id)

    def resume(self, project: str, name: str) -> None:
        """Let it go on, whatever stopped it. Raises RequestError where its budget is spent: it
        would be stopped again at once.
        """
        campaign = self._open(project, name, "resumed")
        if is_spent(campaign):
            raise RequestError(
                f"The campaign {name} cannot be resumed. {spent_sentence(campaign)}"
            )
        self._control.resume(campaign.id)

    def cancel(self, project: str, name: str) -> None:
        self._control.cancel(self._campaigns.get(project, name).id)

    def set_priority(self, project: str, name: str, priority: int) -> None:
        self._control.set_priority(self._campaigns.get(project, name).id, priority)

    def retry(
        self, project: str, name: str, states: Sequence[RenderState], number: int | None = None
    ) -> int:
        """Queue renders in these states again, all or one; returns how many."""
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        self._check_number(expansion, campaign, number)
        size = self._size(expansion)

        def plan(numbers: Sequence[int], attempts: int) -> Iterator[NewChunk]:
            return chunks_of(expansion, numbers, size, lease=attempts, total=len(numbers))

        return self._control.retry(campaign.id, states, plan, number)

    def why_not_retried(
        self, project: str, name: str, states: Sequence[RenderState], number: int | None = None
    ) -> list[str]:
        """Why there is nothing in these states to try again. Raises RequestError for a render that
        is in another.
        """
        campaign = self._campaigns.get(project, name)
        if number is None:
            return [nothing_to_retry(campaign, states)]
        if found := self._campaigns.outcome(campaign.id, number):
            raise RequestError(render_not_retried(campaign, found[0]))
        return [
            f"The render {number} of {name} has not ended: it waits or is being painted already."
        ]

    def why(self, project: str, name: str, number: int | None = None) -> list[str]:
        """Why a campaign, or one render of it, is where it is."""
        campaign = self._campaigns.get(project, name)
        farm = Farm(
            dispatcher=self._watching.dispatcher(),
            workers=self._watching.workers(),
            project_workers=self._watching.workers_of(project),
            quota=self._quotas.get(project),
            orders=self._watching.orders(),
            others=self._campaigns.others(campaign.id),
        )
        if number is None:
            return why_campaign(campaign, farm)
        expansion = expansion_of(campaign.spec)
        self._check_number(expansion, campaign, number)
        outcome = self._campaigns.outcome(campaign.id, number)
        chunk = (
            None
            if outcome
            else self._campaigns.chunk_of(campaign.id, *expansion.place(number), number)
        )
        return why_render(number, campaign, farm, outcome=outcome, chunk=chunk)

    def _open(self, project: str, name: str, verb: str) -> CampaignRow:
        campaign = self._campaigns.get(project, name)
        if campaign.state.is_final:
            raise RequestError(
                f"The campaign {name} is over ({campaign.state}): it cannot be {verb}."
            )
        return campaign

    def _check_number(
        self, expansion: Expansion, campaign: CampaignRow, number: int | None
    ) -> None:
        if number is not None and not expansion.has(number):
            raise NotFound(
                f"The campaign {campaign.name} has no render {number}: its manifest has their"
                " numbers."
            )

    # --- looking ---

    def plan(
        self, data: Json, project: str = "default", *, update: bool = False, fresh: bool = False
    ) -> Json:
        """What submitting would do, without doing it. With `update`, and if the project has such a
        campaign, `updated` counts what would be kept, new and retired, and `changes` names the
        first of each.
        """
        expansion, spec = self._check(data)
        known = self._known(project, expansion.campaign.name) if update else None
        if known is not None:
            expansion, spec = _derived_as(known.spec, expansion, spec)
        pace = self._watching.seconds_per_megapixel_step(expansion.model.digest)
        pace_s = pace or SECONDS_PER_MEGAPIXEL_STEP
        work = megapixel_steps(expansion)
        groups = [expansion.group(k) for k in range(min(expansion.groups, 1000))]
        first = [
            {
                "shot": render.shot.key,
                "seed": render.seed,
                "prompt": render.shot.prompt,
                "negative": render.shot.negative,
                "reference": render.shot.reference,
            }
            for (_, render), _ in zip(expansion.all_renders(), range(3), strict=False)
        ]
        return {
            "campaign": expansion.campaign.name,
            "renders": expansion.total,
            "axes": {axis.name: len(axis.values) for axis in expansion.axes},
            "seeds": expansion.seeds_per_shot,
            "groups": expansion.groups,
            "batch": sorted({group.batch for group in groups}),
            "chunk": self._size(expansion)(0, expansion.total),
            "megapixel_steps": round(work, 3),
            "seconds_per_megapixel_step": pace,
            "estimate_s": round(work * pace_s, 3),
            "budget_s": expansion.campaign.budget_s,
            "model": expansion.campaign.model,
            "priority": expansion.campaign.priority,
            "max_workers": expansion.campaign.max_workers,
            **asdict(expansion.sources),
            "first": first,
            "warnings": _warnings(data, expansion, DERIVATION),
            **(
                {}
                if known is None
                else outlook(
                    known, expansion, spec, self._digests_of(known), is_fresh=fresh, pace_s=pace_s
                )
            ),
        }

    def _digests_of(self, campaign: CampaignRow) -> Digests:
        return partial(self._campaigns.digests, campaign.id)

    def _known(self, project: str, name: str) -> CampaignRow | None:
        try:
            return self._campaigns.get(project, name)
        except NotFound:
            return None

    def all(self, project: str | None) -> list[Json]:
        is_led = self._watching.dispatcher() is not None
        return [status_of(campaign, is_led=is_led) for campaign in self._campaigns.all(project)]

    def status(self, project: str, name: str, version: int | None = None) -> Json:
        campaign = self.version(project, name, version)
        some = self._campaigns.failures(campaign.id, 5) if campaign.failed + campaign.held else []
        failures = [
            {"number": o.number, "state": o.state, "reason": o.reason, "detail": o.detail}
            for o in some
        ]
        waits_for = campaign.waits_for or without_its_class(campaign, self._watching.workers())
        status = status_of(campaign, is_led=self._watching.dispatcher() is not None)
        return {**status, "waits_for": waits_for, "failures": failures}

    def versions(self, project: str, name: str) -> list[Json]:
        """The versions of a campaign that can be read, the oldest first."""
        self._campaigns.get(project, name)
        return [version_json(row) for row in self._campaigns.versions(project, name)]

    def version(self, project: str, name: str, number: int | None) -> CampaignRow:
        """A version of a campaign to be read; without a number the present one."""
        return (
            self._campaigns.get(project, name)
            if number is None
            else self._campaigns.version(project, name, number)
        )

    def manifest(self, project: str, name: str, version: int | None = None) -> Iterator[bytes]:
        campaign = self.version(project, name, version)
        return (
            json.dumps(line, ensure_ascii=False).encode() + b"\n"
            for line in manifest_lines(self._campaigns, campaign)
        )

    def render(self, project: str, name: str, number: int, version: int | None = None) -> Json:
        """The manifest's line of one render."""
        return manifest_line(self._campaigns, self.version(project, name, version), number)

    def files(self, project: str, name: str) -> Iterator[bytes]:
        """The key of every file that the outputs have of a campaign, a line of JSON each."""
        campaign = self._campaigns.get(project, name)
        return (
            json.dumps(key).encode() + b"\n"
            for key in self._outputs.keys(campaign_folder(campaign.project, campaign.name))
        )

    def save_manifest(self, project: str, name: str) -> str:
        """Write the manifest beside the pictures and say where it is."""
        key = write_manifest(self._campaigns, self._campaigns.get(project, name), self._outputs)
        return f"{self._outputs.address}/{key}"

    def sheet(
        self, project: str, name: str, where: Sequence[str] = (), version: int | None = None
    ) -> bytes:
        """The contact sheet of what is done so far, as PNG; with conditions like `product=mug`, of
        the renders that they choose.
        """
        campaign = self.version(project, name, version)
        if not where:
            return sheet_of(self._campaigns, campaign, self._outputs)
        lines = partial(manifest_lines, self._campaigns, campaign)
        chosen = resolve(read_conditions(where), lines())
        numbers = {line["number"] for line in lines() if chosen.chooses(line)}
        return sheet_of(self._campaigns, campaign, self._outputs, numbers)

    def workers(self) -> list[WorkerRow]:
        return self._watching.workers()

    def picture(self, key: str) -> bytes:
        with self._outputs.open(key) as file:
            return file.read()

    def _size(self, expansion: Expansion) -> Size:
        return chunk_size(
            expansion,
            self._watching.seconds_per_megapixel_step(expansion.model.digest),
            self._chunk,
        )

    def _check(self, data: Json, derivation: int = DERIVATION) -> tuple[Expansion, Json]:
        campaign = parse_campaign(data)
        model = self._intake.model(campaign.model)
        expansion = Expansion(campaign, model, derivation=derivation)
        if problems := list(expansion.skipping.problems()):
            raise DocumentError(problems)
        if expansion.total == 0:
            raise DocumentError(
                [Problem(("skip",), "the rules skip every cell: the campaign has 0 renders.")]
            )
        if expansion.total > MAX_RENDERS:
            raise DocumentError(
                [
                    Problem(
                        (),
                        f"the campaign has {expansion.total:,} renders; at most {MAX_RENDERS:,}"
                        " are supported: split it.",
                    )
                ]
            )
        check_fit(expansion)
        check_prompts(expansion)
        spec = make_spec(campaign, model, self._intake.check(campaign, model), derivation)
        return (
            expansion_of(spec),
            spec,
        )  # what is stored is what is read again, or nobody could paint it


def megapixel_steps(expansion: Expansion) -> float:
    """The work of a campaign; of very many groups the first thousand stand for all."""
    groups = [expansion.group(k) for k in range(min(expansion.groups, 1000))]
    return sum(group.megapixel_steps for group in groups) / len(groups) * expansion.total


def new_campaign(project: str, expansion: Expansion, spec: Json) -> NewCampaign:
    campaign = expansion.campaign
    return NewCampaign(
        project=project,
        name=campaign.name,
        spec=spec,
        fingerprint=fingerprint(spec),
        model=campaign.model,
        model_digest=expansion.model.digest,
        priority=campaign.priority,
        max_workers=campaign.max_workers,
        total=expansion.total,
        megapixel_steps=megapixel_steps(expansion),
        deadline=campaign.deadline_at,
        budget_s=campaign.budget_s,
        encoding=campaign.files,
        numerics_class=ANY_CLASS if campaign.numerics == "any" else None,
    )


def _derived_as(known: Json, expansion: Expansion, spec: Json) -> tuple[Expansion, Json]:
    """A campaign with its seeds derived as those of the version that it replaces, so that no
    picture changes that both have.
    """
    if derivation_of(known) == derivation_of(spec):
        return expansion, spec
    spec = {**spec, "derivation": derivation_of(known)}
    return expansion_of(spec), spec


def _warnings(data: Json, expansion: Expansion, derivation: int) -> list[Json]:
    campaign = expansion.campaign
    found = [
        *overruled(data, campaign),
        *campaign_warnings(campaign, derivation),
        *model_warnings(expansion),
    ]
    return [problem_json(problem) for problem in found]


def status_of(campaign: CampaignRow, *, is_led: bool) -> Json:
    """A campaign as the API shows it. `is_led`: whether a dispatcher is at work."""
    return {
        "campaign": campaign.name,
        "project": campaign.project,
        "state": campaign.state,
        "halted": campaign.halted,
        "waits_for": campaign.waits_for,
        "standstill": standstill(campaign, is_led=is_led),
        "model": campaign.model,
        "priority": campaign.priority,
        "numerics_class": campaign.numerics_class,
        "renders": {
            "total": campaign.total,
            "queued": campaign.queued,
            "running": campaign.running,
            "held": campaign.held,
            "done": campaign.done,
            "failed": campaign.failed,
            "cancelled": campaign.cancelled,
        },
        "deadline": campaign.deadline,
        "device_s": round(campaign.device_s, 3),
        "budget_s": campaign.budget_s,
        "version": campaign.version,
        # A clock that was set back, or an update by a version before, may have made it the later
        # of the two.
        "created_at": min(campaign.created_at, campaign.started_at or campaign.created_at),
        "started_at": campaign.started_at,
        "finished_at": campaign.finished_at,
    }
