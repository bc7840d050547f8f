"""What the farm does for those who ask: submit, look, and hand out results. The API is a thin skin over it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from actors.models import Model, find_model
from farm.campaign import MAX_RENDERS, parse_campaign
from farm.document import DocumentError, Problem
from farm.expansion import Expansion
from farm.manifest import manifest_lines, write_manifest
from farm.plan import plan_chunks, renders_per_chunk
from farm.prompts import check_prompts
from farm.sheet import draw_sheet
from farm.specs import difference, expansion_of, fingerprint, make_spec
from storage.campaigns import Campaigns
from storage.errors import AlreadyThere, RequestError
from storage.outputs import Outputs
from storage.rows import CampaignRow, NewCampaign, WorkerRow
from storage.watching import ROSTER_FRESH_S, Watching

Json = dict[str, Any]


class Service:
    """The farm, to whoever may ask."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        watching: Watching,
        outputs: Outputs,
        chunk: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._campaigns = campaigns
        self._watching = watching
        self._outputs = outputs
        self._chunk = chunk
        self._clock = clock

    def submit(self, project: str, data: Json) -> tuple[CampaignRow, bool]:
        """Store a campaign and say whether it is new. The same campaign again changes nothing, but lets a halted one go on.

        Raises DocumentError for a campaign that is wrong, RequestError where another stands under its name.
        """
        expansion, spec = self._check(data)
        campaign = expansion.campaign
        mark = fingerprint(spec)
        speed = self._watching.seconds_per_megapixel_step(expansion.model.digest)
        new = NewCampaign(
            project=project,
            name=campaign.name,
            spec=spec,
            fingerprint=mark,
            model=campaign.model,
            model_digest=expansion.model.digest,
            priority=campaign.priority,
            max_workers=campaign.max_workers,
            total=expansion.total,
        )
        try:
            return self._campaigns.add(new, plan_chunks(expansion, speed, self._chunk), self._clock()), True
        except AlreadyThere:
            known = self._campaigns.get(project, campaign.name)
        if known.fingerprint != mark:
            raise RequestError(
                f"A different campaign {campaign.name} was submitted before: give this one another name.\n{difference(known.spec, spec)}"
            )
        if known.halted is not None:
            self._campaigns.resume(known.id)
        return self._campaigns.get(project, campaign.name), False

    def plan(self, data: Json) -> Json:
        """What submitting would do, without doing it."""
        expansion, _ = self._check(data)
        groups = [expansion.group(k) for k in range(min(expansion.groups, 1000))]
        first = [
            {"shot": render.shot.key, "seed": render.seed, "prompt": render.shot.prompt, "negative": render.shot.negative}
            for (_, render), _ in zip(expansion.all_renders(), range(3), strict=False)
        ]
        return {
            "campaign": expansion.campaign.name,
            "renders": expansion.total,
            "axes": {axis.name: len(axis.values) for axis in expansion.axes},
            "seeds": expansion.seeds_per_shot,
            "groups": expansion.groups,
            "batch": sorted({group.batch for group in groups}),
            "chunk": self._chunk or renders_per_chunk(expansion, 0, self._watching.seconds_per_megapixel_step(expansion.model.digest)),
            "megapixel_steps": round(sum(group.megapixel_steps for group in groups) / len(groups) * expansion.total, 3),
            "first": first,
        }

    def all(self, project: str | None) -> list[Json]:
        return [status_of(campaign) for campaign in self._campaigns.all(project)]

    def status(self, project: str, name: str) -> Json:
        campaign = self._campaigns.get(project, name)
        some = self._campaigns.failures(campaign.id, 5) if campaign.failed + campaign.held else []
        failures = [{"number": o.number, "state": o.state, "reason": o.reason, "detail": o.detail} for o in some]
        return {**status_of(campaign), "failures": failures}

    def manifest(self, project: str, name: str) -> Iterator[bytes]:
        campaign = self._campaigns.get(project, name)
        return (json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in manifest_lines(self._campaigns, campaign))

    def save_manifest(self, project: str, name: str) -> str:
        """Write the manifest beside the pictures and say where it is."""
        key = write_manifest(self._campaigns, self._campaigns.get(project, name), self._outputs)
        return f"{self._outputs.address}/{key}"

    def sheet(self, project: str, name: str) -> bytes:
        """The contact sheet of what is done so far, as PNG."""
        campaign = self._campaigns.get(project, name)
        done = {o.number: o.key for o, _, _ in self._campaigns.outcomes(campaign.id) if o.key}
        return draw_sheet(expansion_of(campaign.spec), done, self._outputs)

    def workers(self) -> list[WorkerRow]:
        return self._watching.workers(seen_since=self._clock() - ROSTER_FRESH_S)

    def picture(self, key: str) -> bytes:
        with self._outputs.open(key) as file:
            return file.read()

    def _check(self, data: Json) -> tuple[Expansion, Json]:
        campaign = parse_campaign(data)
        model = self._model(campaign.model)
        expansion = Expansion(campaign, model)
        if expansion.total == 0:
            raise DocumentError([Problem(("skip",), "the rules skip every cell: the campaign has 0 renders.")])
        if expansion.total > MAX_RENDERS:
            raise DocumentError(
                [Problem((), f"the campaign has {expansion.total:,} renders; at most {MAX_RENDERS:,} are supported: split it.")]
            )
        check_prompts(expansion)
        spec = make_spec(campaign, model)
        expansion_of(spec)  # what is stored must be read again, or nobody could paint it
        return expansion, spec

    def _model(self, name: str) -> Model:
        try:
            return find_model(name)
        except RequestError as exc:
            raise DocumentError([Problem(("model",), str(exc))]) from exc


def status_of(campaign: CampaignRow) -> Json:
    """A campaign as the API shows it."""
    return {
        "campaign": campaign.name,
        "project": campaign.project,
        "state": campaign.state,
        "halted": campaign.halted,
        "model": campaign.model,
        "priority": campaign.priority,
        "renders": {
            "total": campaign.total,
            "queued": campaign.queued,
            "running": campaign.running,
            "held": campaign.held,
            "done": campaign.done,
            "failed": campaign.failed,
            "cancelled": 0,
        },
        "created_at": campaign.created_at,
        "started_at": campaign.started_at,
        "finished_at": campaign.finished_at,
    }
