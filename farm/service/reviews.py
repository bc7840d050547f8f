"""Reviews: which renders a person means, what a decision does to each, and redos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from farm.campaign.chunks import Size, chunks_among
from farm.campaign.expansion import Expansion
from farm.campaign.redos import redos_of
from farm.campaign.selection import Numbers
from farm.campaign.specs import expansion_of, proof_spec, with_redos
from farm.results.manifest import write_manifest
from farm.service.carrying import carried, still_undecided
from farm.service.control import check_number
from farm.service.new_campaign import measured_size
from farm.service.quotas import ProjectRoom
from farm.service.redo_checks import check_redo_prompt
from farm.service.review_choices import Choices
from farm.service.review_rules import Candidates, Choice, chosen, sentences
from storage.campaigns import Campaigns
from storage.errors import Conflict, NotFound
from storage.projects import Growing, freely
from storage.redoing import Redos
from storage.reviews import NewDecision, Outcome, Reviews
from storage.rows import CampaignRow, Chunk, NewChunk
from storage.states import Verdict
from storage.store import Outputs
from storage.verdicts import Decision, Verdicts, fold
from storage.watching import Watching

Json = dict[str, Any]
AUTO_APPROVE = "auto_approve"
"""The reviewer, if no person has decided."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change to paint chosen pictures again with."""

    seed: int | None = None
    next_seed: bool = False
    prompt: str | None = None


class ReviewService:
    """Takes decisions about renders, and shows those that were taken."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        reviews: Reviews,
        watching: Watching,
        outputs: Outputs,
        chunk: int | None = None,
        room: ProjectRoom | None = None,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work. Without
        `room`, no quota is in the way of pictures that are painted again.
        """
        self._campaigns = campaigns
        self._reviews = reviews
        self._choices = Choices(campaigns=campaigns, reviews=reviews)
        self._watching = watching
        self._outputs = outputs
        self._chunk = chunk
        self._room = room

    def decide(
        self,
        project: str,
        name: str,
        choice: Choice,
        new: NewDecision,
        *,
        reroll: bool = False,
        dry_run: bool = False,
    ) -> Json:
        """Approve or reject the chosen renders. With `reroll`, those that are rejected are painted
        again with the next seed. `changed` in the answer counts those whose verdict is new, `why`
        has a sentence for each kind of render that stays as it is.

        Raises RequestError for a filter that means nothing, NotFound for a number that the
        campaign does not have, Conflict if the project's quota has no room for what `reroll` adds.
        """
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        if campaign.released is not None and campaign.cancelled_at is not None:
            return _unchanged(f"The campaign {name} was cancelled: nothing more of it is painted.")
        candidates = self._choices.candidates(campaign, expansion, choice)
        choose = partial(_decided, campaign, candidates, new.verdict)
        if dry_run:
            log = self._reviews.log(campaign.id)
            outcome = choose(fold(log, expansion.size), log)
            return {**outcome.answer, "dry_run": True}
        redo = partial(self._redos, campaign, next_seed=True) if reroll else None
        answer = self._reviews.decide(
            campaign.id,
            new,
            expansion.size,
            choose,
            self._plan(expansion),
            redo,
            self._growing(project),
        )
        self._finish(project, name)
        return answer

    def auto_approve(self, proofs: CampaignRow) -> None:
        """Approve those finals whose proofs pass all that the campaign's file asks for, once all
        proofs are painted.
        """
        assert proofs.proof_of is not None
        campaign = self._campaigns.by_id(proofs.proof_of)
        proof = expansion_of(campaign.spec).campaign.proof
        rules = proof and proof.auto_approve
        if not rules:
            return
        choice = Choice(drift_below=rules.drift, passes_rules=rules.rules == "all")
        new = NewDecision(
            client=AUTO_APPROVE,
            sequence=proofs.total,  # more proofs, as of redos, are another decision
            verdict=Verdict.APPROVED,
            reviewer=AUTO_APPROVE,
            chosen_by=rules.model_dump(exclude_none=True),
        )
        self.decide(campaign.project, campaign.name, choice, new)

    def carry_over(self, campaign: CampaignRow) -> None:
        """Decide in a campaign as was decided in the version before about the same pictures; one
        in which nobody decided has nothing to go by, and the one before that counts.
        """
        versions = self._campaigns.versions(campaign.project, campaign.name)
        for old in reversed([row for row in versions if row.version < campaign.version]):
            if not (log := self._reviews.log(old.id)):
                continue
            expansion = expansion_of(campaign.spec)
            plan = self._plan(expansion)
            for decision, numbers in carried(old, log, campaign):
                choose = partial(still_undecided, numbers)
                self._reviews.decide(campaign.id, decision, expansion.size, choose, plan)
            self._finish(campaign.project, campaign.name)
            return

    def undo(
        self, project: str, name: str, new: NewDecision, *, only_of: str | None = None
    ) -> Json:
        """Take a decision back: the last one that counts, or the entry that `new.undoes` names;
        with `only_of`, among those of one reviewer. Renders get the verdict that they had before.
        Raises NotFound if there is no such entry.
        """
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        sent = self._reviews.answer_to(campaign.id, new)
        if sent is not None:
            return sent  # the entry that it took back counts no more, and would not be found
        log = self._reviews.log(campaign.id)
        entry = _entry_to_undo(log, new.undoes, name, only_of)
        new = replace(new, undoes=entry.id)

        def choose(_before: Verdicts, _log: list[Decision]) -> Outcome:
            count = len(entry.numbers)
            return Outcome(entry.numbers, {"changed": count, "why": [], "undoes": entry.id})

        answer = self._reviews.decide(
            campaign.id, new, expansion.size, choose, self._plan(expansion)
        )
        self._finish(project, name)
        return answer

    def redo(
        self, project: str, name: str, numbers: Sequence[int], change: Change, new: NewDecision
    ) -> Json:
        """Paint chosen renders again with a recorded change, as versions of their cells. In a
        campaign with proofs the proof is painted again, until the final is there. Raises Conflict
        if the project's quota has no room for them.
        """
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        for number in numbers:
            check_number(expansion, campaign, number)
        if change.prompt is not None:
            change = replace(change, prompt=check_redo_prompt(expansion, change.prompt))
        if campaign.cancelled_at is not None:
            return _unchanged(f"The campaign {name} was cancelled: nothing more of it is painted.")
        self._refuse_mixed(campaign, numbers)
        make = partial(
            self._redos,
            campaign,
            seed=change.seed,
            prompt=change.prompt,
            next_seed=change.next_seed,
        )

        def choose(_before: Verdicts, _log: list[Decision]) -> Outcome:
            mine = np.array(sorted(set(numbers)), np.int64)
            return Outcome(mine, {"changed": len(mine), "why": []})

        return self._reviews.decide(
            campaign.id,
            new,
            expansion.size,
            choose,
            self._plan(expansion),
            make,
            self._growing(project),
        )

    # --- what decisions need ---

    def _growing(self, project: str) -> Growing:
        return freely if self._room is None else self._room.growing(project)

    def _plan(self, expansion: Expansion) -> "_Plan":
        return _Plan(expansion, measured_size(expansion, self._watching, self._chunk))

    def _refuse_mixed(self, campaign: CampaignRow, numbers: Sequence[int]) -> None:
        """Raise RequestError if some of these renders have a final and others only a proof."""
        if campaign.released is None:
            return
        ended = {one.number for one in self._campaigns.outcomes_of(campaign.id, numbers)}
        if (rest := sorted(set(numbers) - ended)) and ended:
            raise Conflict(
                f"Render {min(ended)} has a final and render {rest[0]} has none, so that its"
                " proof is painted again: redo them one after the other."
            )

    def _redos(
        self,
        campaign: CampaignRow,
        spec: Json,
        numbers: Sequence[int],
        *,
        seed: int | None = None,
        prompt: str | None = None,
        next_seed: bool = False,
    ) -> Redos:
        has_proofs = campaign.released is not None
        are_proofs = has_proofs and not self._campaigns.outcomes_of(campaign.id, numbers)
        redos = redos_of(
            expansion_of(spec),
            numbers,
            seed=seed,
            prompt=prompt,
            next_seed=next_seed,
            have_proofs=are_proofs,
        )
        new_spec = with_redos(spec, redos)
        painted = expansion_of(proof_spec(new_spec) if are_proofs else new_spec)
        added = [redo.number for redo in redos]
        size = measured_size(painted, self._watching, self._chunk)
        return Redos(
            numbers=added,
            are_proofs=are_proofs,
            spec=new_spec,
            proofs_spec=proof_spec(new_spec) if has_proofs else None,
            chunks=list(chunks_among(painted, np.array(added, np.int64), size)),
        )

    def _finish(self, project: str, name: str) -> None:
        """Write the manifest of a campaign that ended with this decision: no worker's result
        will.
        """
        campaign = self._campaigns.get(project, name)
        if campaign.released is not None and campaign.is_over:
            write_manifest(self._campaigns, self._reviews, campaign, self._outputs)


@dataclass(frozen=True)
class _Plan:
    """How approved renders of a campaign are cut into chunks."""

    expansion: Expansion
    size: Size

    def chunks(self, numbers: Numbers) -> Iterator[NewChunk]:
        return chunks_among(self.expansion, numbers, self.size)

    def numbers(self, chunk: Chunk) -> list[int]:
        if chunk.numbers is not None:
            return list(chunk.numbers)
        found = self.expansion.renders(chunk.group_no, chunk.start, chunk.stop)
        return [render.number for render in found]


def _decided(
    campaign: CampaignRow,
    candidates: Candidates,
    verdict: Verdict | None,
    before: Verdicts,
    _log: list[Decision],
) -> Outcome:
    assert verdict is not None
    picked = chosen(candidates, before, verdict)
    answer = {
        "verdict": verdict,
        "changed": len(picked.changed),
        "first": picked.changed[:20].tolist(),
        "why": sentences(picked, campaign, verdict),
    }
    return Outcome(picked.changed, answer)


def _unchanged(sentence: str) -> Json:
    return {"changed": 0, "why": [sentence]}


def _entry_to_undo(
    log: Sequence[Decision], entry_id: int | None, name: str, only_of: str | None
) -> Decision:
    undone = {entry.undoes for entry in log}
    open_entries = [
        entry
        for entry in log
        if entry.verdict and entry.id not in undone and only_of in (None, entry.reviewer)
    ]
    if entry_id is None:
        if not open_entries:
            raise NotFound(f"No decision about {name} can be taken back: there is none.")
        return open_entries[-1]
    for entry in open_entries:
        if entry.id == entry_id:
            return entry
    raise NotFound(
        f"The campaign {name} has no decision {entry_id} that counts: `farm review {name}` lists"
        " them."
    )
