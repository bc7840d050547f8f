"""Repairs: damaged or missing files are painted again, and put in their places.

A repair is a campaign of its own, which is removed with its last file. A file takes its place only
if its pixels are those that were recorded.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from actors.recipes.previews import preview_steps
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.results.line import Repaint
from farm.results.verify import repaint_problem
from farm.service.repainting import NAME_KEPT, Repaints
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import AlreadyThere, Conflict, NotFound
from storage.keys import campaign_folder, preview_key
from storage.rows import CampaignRow, RenderOutcome
from storage.states import RenderState
from storage.store import Outputs

Json = dict[str, Any]
_AT_ONCE = 1_000  # renders that one request puts in their places: half a minute on a slow bucket
_WRITERS = 8


class Repairs:
    """Repairs the files of campaigns."""

    def __init__(
        self, *, campaigns: Campaigns, control: Control, outputs: Outputs, repaints: Repaints
    ) -> None:
        self._campaigns = campaigns
        self._control = control
        self._outputs = outputs
        self._repaints = repaints

    def begin(self, project: str, name: str, numbers: Sequence[int]) -> tuple[CampaignRow, bool]:
        """Store a campaign beside this one that paints renders again whose files are damaged or
        missing, and say whether it is new: a repair of the same campaign that was broken off goes
        on.

        Raises RequestError for renders that have no file, and like `repaint`.
        """
        campaign = self._campaigns.get(project, name)
        outcomes = {number: self._outcome(campaign, number) for number in numbers}
        for number, outcome in outcomes.items():
            if outcome is None or outcome.state is not RenderState.DONE:
                raise Conflict(
                    f"The render {number} of {name} is not done: only files of renders that are"
                    " done can be repaired."
                )
        first = outcomes[numbers[0]]
        numerics_class = first.numerics_class if first else None
        own = _repair_name(campaign)
        try:
            new = self._repaints.paint(
                campaign, numbers, project, own, numerics_class=numerics_class, changes={}
            )
        except AlreadyThere:
            known = self._repair_of(campaign)
            if known.halted is not None:
                self._control.resume(known.id)
            return self._campaigns.get(project, known.name), False
        return new, True

    def put_back(self, project: str, name: str, after: int = -1) -> Json:
        """Put files that a repair has painted in the places of those that are damaged or missing,
        for the next renders by number `after` one. The last page ends the repair.

        `repaired` has numbers, `wrong` the number and a sentence for each render whose pixels are
        not those that were recorded; `last` is what to ask for next, None once all is done.
        """
        campaign = self._campaigns.get(project, name)
        repair = self._repair_of(campaign)
        if not repair.is_over:
            raise Conflict(
                f"The repair of {name} is {repair.state}: its files take their places once it is"
                " over."
            )
        page = list(islice(self._campaigns.outcomes(repair.id, after=after), _AT_ONCE))
        expansion = expansion_of(campaign.spec)
        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="repair") as pool:
            found = list(
                pool.map(lambda ended: self._restore(campaign, expansion, ended[0]), page)
            )
        is_last = len(page) < _AT_ONCE
        if is_last:
            self._forget(repair)
        numbers = [outcome.number for outcome, _, _ in page]
        return {
            "repaired": [
                number for number, problem in zip(numbers, found, strict=True) if problem is None
            ],
            "wrong": [
                {"number": n, "problem": problem}
                for n, problem in zip(numbers, found, strict=True)
                if problem is not None
            ],
            "last": None if is_last else numbers[-1],
        }

    def _outcome(self, campaign: CampaignRow, number: int) -> RenderOutcome | None:
        found = self._campaigns.outcome(campaign.id, number)
        return None if found is None else found[0]

    def _repair_of(self, campaign: CampaignRow) -> CampaignRow:
        """The repair of a campaign that is under way. Raises NotFound if there is none,
        RequestError if its name is another's.
        """
        repair = self._campaigns.get(campaign.project, _repair_name(campaign))
        if repair.spec.get("repaints") != campaign.id:
            raise Conflict(
                f"A campaign {repair.name} that is no repair of {campaign.name} is in the way:"
                f" remove it with `farm prune {repair.name}`."
            )
        return repair

    def _read(self, key: str) -> bytes:
        with self._outputs.open(key) as file:
            return file.read()

    def _restore(
        self, campaign: CampaignRow, expansion: Expansion, painted: RenderOutcome
    ) -> str | None:
        """Put one repainted file in its place; returns what is wrong, if its pixels are not those
        that were recorded.
        """
        was = self._outcome(campaign, painted.number)
        if was is None or was.key is None:
            return "another version of the campaign has taken its place meanwhile."
        if problem := repaint_problem(_facts(was), _facts(painted)):
            return problem
        try:
            self._move(expansion, painted, was)
        except NotFound:
            return (
                "the file of its repaint was removed before it could be put in its place: verify"
                " again."
            )
        if (
            painted.sha256 != was.sha256
        ):  # the same pixels, written by another version of the encoder
            self._control.record_file(campaign.id, painted)
        return None

    def _move(self, expansion: Expansion, painted: RenderOutcome, was: RenderOutcome) -> None:
        """Put a picture with its previews where another one is; raises NotFound, before the
        picture is written, if some are missing.
        """
        assert painted.key is not None
        assert was.key is not None
        data = self._read(painted.key)
        if hashlib.sha256(data).hexdigest() != painted.sha256:
            raise NotFound(f"The file {painted.key} is not the one that was painted.")
        group = expansion.group(expansion.group_of(was.number))
        for step in preview_steps(expansion.campaign.kept_previews, group.steps_made):
            self._outputs.copy(preview_key(painted.key, step), preview_key(was.key, step))
        self._outputs.put(was.key, data)

    def _forget(self, repair: CampaignRow) -> None:
        for key in list(self._outputs.keys(campaign_folder(repair.project, repair.name))):
            self._outputs.delete(key)
        self._control.forget(repair.id)


def _repair_name(campaign: CampaignRow) -> str:
    """The same for each repair of a campaign, so that one that was broken off is found again."""
    return f"{campaign.name[:NAME_KEPT]}-repair-{campaign.id}"


def _facts(outcome: RenderOutcome) -> Repaint:
    return {
        "pixels": outcome.pixels,
        "digest": outcome.digest,
        "numerics_class": outcome.numerics_class,
        "detail": outcome.detail or outcome.state,
    }
