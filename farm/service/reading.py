"""Reading: a campaign's status, its explanation, its renders and its files."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from farm.campaign.specs import expansion_of
from farm.results.line import Line
from farm.results.manifest import manifest_line, manifest_lines, write_manifest
from farm.results.rule_counts import fails, rule_counts
from farm.results.versions import version_json
from farm.scheduling.eta import NO_OUTLOOK, Outlook
from farm.scheduling.reasons import reason_sentence
from farm.scheduling.why import (
    refusal_to,
    standstill,
    without_its_class,
)
from farm.service.pacing import Pacing, may_be_painted
from farm.service.review_reading import proofs_json
from storage.campaigns import Campaigns
from storage.keys import campaign_folder
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome, WorkerRow
from storage.states import Stage
from storage.store import Outputs
from storage.watching import Watching

Json = dict[str, Any]
_FAILURES = 5


Range = tuple[float | None, float | None]
"""Above which, and below which; None for no such bound."""
ANY: Range = (None, None)


class Reading:
    """Reads what the job database and the outputs have; changes nothing but a saved manifest."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        reviews: Reviews,
        watching: Watching,
        outputs: Outputs,
        pacing: Pacing | None = None,
    ) -> None:
        """Without `pacing`, nothing is said of how fast campaigns are painted."""
        self._pacing = pacing
        self._campaigns = campaigns
        self._reviews = reviews
        self._watching = watching
        self._outputs = outputs

    def all(self, project: str | None) -> list[Json]:
        return self.rows(self._campaigns.all(project))

    def rows(self, rows: Sequence[CampaignRow]) -> list[Json]:
        """These campaigns as a list has them."""
        is_led = self._watching.dispatcher() is not None
        outlooks = self._outlooks(rows)
        return [
            status_of(campaign, is_led=is_led, outlook=outlooks.get(campaign.id, NO_OUTLOOK))
            for campaign in rows
        ]

    def status(self, project: str, name: str, version: int | None = None) -> Json:
        campaign = self.version(project, name, version)
        some = self._failures(campaign)
        failures = [
            {"number": o.number, "state": o.state, "reason": o.reason, "detail": o.detail}
            for o in some
        ]
        waits_for = campaign.waits_for or without_its_class(campaign, self._watching.workers())
        is_led = self._watching.dispatcher() is not None
        outlook = self._outlooks([campaign]).get(campaign.id, NO_OUTLOOK)
        status = status_of(campaign, is_led=is_led, outlook=outlook)
        return {**status, "waits_for": waits_for, "failures": failures}

    def _outlooks(self, rows: Collection[CampaignRow]) -> Mapping[int, Outlook]:
        """How fast those of these campaigns are painted that may be; nothing is read if there is
        none. A shared look may be older than a campaign's end.
        """
        mine = [row.id for row in rows if may_be_painted(row)]
        known = self._pacing.outlooks() if self._pacing is not None and mine else {}
        return {number: known[number] for number in mine if number in known}

    def _failures(self, campaign: CampaignRow) -> list[RenderOutcome]:
        """The first renders that did not end well, and the first such proofs."""
        proofs, some = campaign.proofs, list[RenderOutcome]()
        if campaign.failed + campaign.held:
            some += self._campaigns.failures(campaign.id, _FAILURES)
        if proofs is not None and proofs.failed + proofs.held:
            some += self._campaigns.failures(proofs.id, _FAILURES)
        return some

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

    def at_stage(self, project: str, name: str, number: int | None, stage: Stage) -> CampaignRow:
        """A version of a campaign, or its proofs. Raises NotFound if it has none."""
        campaign = self.version(project, name, number)
        return campaign if stage is Stage.FINAL else self._campaigns.proofs_of(campaign)

    def manifest(
        self,
        project: str,
        name: str,
        version: int | None = None,
        stage: Stage = Stage.FINAL,
        failed_rule: str | None = None,
        drift: Range = ANY,
    ) -> Iterator[bytes]:
        """The manifest, or its lines of pictures that fail a rule of their brand, and whose drift
        is within a range.
        """
        campaign = self.at_stage(project, name, version, stage)
        return (
            json.dumps(line, ensure_ascii=False).encode() + b"\n"
            for line in manifest_lines(self._campaigns, self._reviews, campaign)
            if (failed_rule is None or fails(line, failed_rule)) and _is_within(line, drift)
        )

    def rules(
        self,
        project: str,
        name: str,
        version: int | None = None,
        stage: Stage = Stage.FINAL,
    ) -> Json:
        """How many pictures fail each rule of their brand, in all and by the values of axes."""
        campaign = self.at_stage(project, name, version, stage)
        expansion = expansion_of(campaign.spec)
        counts = rule_counts(expansion, self._campaigns.judged(campaign.id))
        return {"campaign": name, "brand": campaign.brand, **counts}

    def render(
        self,
        project: str,
        name: str,
        number: int,
        version: int | None = None,
        stage: Stage = Stage.FINAL,
    ) -> Line:
        """The manifest's line of one render."""
        campaign = self.at_stage(project, name, version, stage)
        return manifest_line(self._campaigns, self._reviews, campaign, number)

    def files(self, project: str, name: str) -> Iterator[bytes]:
        """The key of every file that the outputs have of a campaign, a line of JSON each."""
        campaign = self._campaigns.get(project, name)
        return (
            json.dumps(key).encode() + b"\n"
            for key in self._outputs.keys(campaign_folder(campaign.project, campaign.name))
        )

    def save_manifest(self, project: str, name: str, stage: Stage = Stage.FINAL) -> str:
        """Write the manifest beside the pictures and return its address."""
        campaign = self.at_stage(project, name, None, stage)
        key = write_manifest(self._campaigns, self._reviews, campaign, self._outputs)
        return f"{self._outputs.address}/{key}"

    def workers(self) -> list[WorkerRow]:
        return self._watching.workers()


def _is_within(line: Line, bounds: Range) -> bool:
    """Whether a picture's drift is within bounds; one that was not measured is within none."""
    above, below = bounds
    if bounds == ANY:
        return True
    drift = line["drift"]
    return (
        drift is not None and (above is None or drift > above) and (below is None or drift < below)
    )


def status_of(campaign: CampaignRow, *, is_led: bool, outlook: Outlook = NO_OUTLOOK) -> Json:
    """A campaign as the API shows it. `is_led`: whether a dispatcher is at work."""
    return {
        "campaign": campaign.name,
        "project": campaign.project,
        "state": campaign.state,
        "halted": campaign.halted,
        "waits_for": campaign.waits_for,
        "standstill": standstill(campaign, is_led=is_led),
        "refusal": _refusal_json(campaign, is_led=is_led),
        "model": campaign.model,
        "brand": campaign.brand,
        "priority": campaign.priority,
        "numerics_class": campaign.numerics_class,
        "renders": {
            "total": campaign.total,
            "queued": campaign.queued,
            "running": campaign.running,
            "held": campaign.held,
            "held_by_rule": campaign.held_by_rule,
            "done": campaign.done,
            "failed": campaign.failed,
            "cancelled": campaign.cancelled,
            "rejected": campaign.rejected,
            "undecided": campaign.undecided,
        },
        "proofs": proofs_json(campaign),
        "deadline": campaign.deadline,
        "device_s": round(campaign.device_s, 3),
        "budget_s": campaign.budget_s,
        "money": None if campaign.money is None else round(campaign.money, 6),
        "budget_money": campaign.budget_money,
        **vars(outlook),
        "version": campaign.version,
        # A clock that was set back, or an update by a version before, may have made it the later
        # of the two.
        "created_at": min(campaign.created_at, campaign.started_at or campaign.created_at),
        "started_at": campaign.started_at,
        "finished_at": campaign.finished_at,
    }


def _refusal_json(campaign: CampaignRow, *, is_led: bool) -> Json | None:
    refusal = refusal_to(campaign, is_led=is_led)
    return None if refusal is None else {**asdict(refusal), "sentence": reason_sentence(refusal)}
