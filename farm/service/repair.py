"""Renders painted again: to compare them with what was recorded, or to put a damaged or missing
file in its place again.

Both are campaigns of their own, and paint by the spec that is stored: so they have the recipes
that the campaign was painted with. A repair's files take their places only if their pixels are
those that were recorded, and the repair is removed with its last file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import uuid4

from actors.models.models import find_model
from actors.recipes.jobs import preview_steps
from farm.campaign.chunks import chunk_size, chunks_of
from farm.campaign.expansion import Expansion
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of
from farm.results.reproduce import PROJECT
from farm.results.verify import repaint_problem
from farm.service.intake import Intake
from farm.service.submission import megapixel_steps, new_campaign
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import AlreadyThere, NotFound, RequestError
from storage.keys import campaign_folder, preview_key, reference_key
from storage.rows import CampaignRow, RenderOutcome
from storage.states import RenderState
from storage.store import Outputs
from storage.watching import Watching

Json = dict[str, Any]
_AT_ONCE = 1_000  # renders that one request puts in their places: half a minute on a slow bucket
_WRITERS = 8
_NAME = 60  # of 80 letters, what is left of a campaign's name before what a repaint adds


class Repairs:
    """Campaigns that paint some renders of another one again."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        control: Control,
        watching: Watching,
        outputs: Outputs,
        intake: Intake | None = None,
        chunk: int | None = None,
    ) -> None:
        self._campaigns = campaigns
        self._control = control
        self._watching = watching
        self._outputs = outputs
        self._intake = intake or Intake(outputs)
        self._chunk = chunk

    def repaint(self, project: str, name: str, numbers: Sequence[int]) -> CampaignRow:
        """Store a campaign that paints some of another's renders again, without previews, so that
        they can be compared with what was recorded. They keep their numbers.

        Raises RequestError if the model's weights have changed since, NotFound for a number that
        the campaign does not have.
        """
        campaign = self._campaigns.get(project, name)
        again = f"{name[:_NAME]}-verify-{uuid4().hex[:8]}"
        return self._paint(
            campaign,
            numbers,
            PROJECT,
            again,
            numerics_class=campaign.numerics_class,
            changes={"previews": None},
        )

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
                raise RequestError(
                    f"The render {number} of {name} is not done: only files of renders that are"
                    " done can be repaired."
                )
        first = outcomes[numbers[0]]
        try:
            numerics_class = first.numerics_class if first else None
            return (
                self._paint(
                    campaign,
                    numbers,
                    project,
                    _repair_name(campaign),
                    numerics_class=numerics_class,
                    changes={},
                ),
                True,
            )
        except AlreadyThere:
            known = self._repair_of(campaign)
            if known.halted is not None:
                self._control.resume(known.id)
            return self._campaigns.get(project, known.name), False

    def put_back(self, project: str, name: str, after: int = -1) -> Json:
        """Put files that a repair has painted in the places of those that are damaged or missing,
        for the next renders by number `after` one. The last page ends the repair.

        `repaired` has numbers, `wrong` the number and a sentence for each render whose pixels are
        not those that were recorded; `last` is what to ask for next, None once all is done.
        """
        campaign = self._campaigns.get(project, name)
        repair = self._repair_of(campaign)
        if not repair.state.is_final:
            raise RequestError(
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
            raise RequestError(
                f"A campaign {repair.name} that is no repair of {campaign.name} is in the way:"
                f" remove it with `farm prune {repair.name}`."
            )
        return repair

    def _paint(
        self,
        campaign: CampaignRow,
        numbers: Sequence[int],
        project: str,
        name: str,
        *,
        numerics_class: str | None,
        changes: Json,
    ) -> CampaignRow:
        model = find_model(campaign.model)
        if model.digest != campaign.model_digest:
            raise RequestError(
                f"The model {campaign.model} has other weights than when {campaign.name} was"
                " painted: it cannot paint the same pixels."
            )
        spec = {
            **campaign.spec,
            "campaign": {**campaign.spec["campaign"], "budget": None, "deadline": None, **changes},
            "model": {**campaign.spec["model"], "folder": model.folder},
            "repaints": campaign.id,
        }
        expansion = expansion_of(spec)
        missing = next((number for number in numbers if not expansion.has(number)), None)
        if missing is not None:
            raise NotFound(
                f"The campaign {campaign.name} has no render {missing}: its manifest has their"
                " numbers."
            )
        self._lend_references(campaign, project, expansion, numbers)
        at_hand = {worker.numerics_class for worker in self._watching.workers()}
        total = len(numbers)
        new = replace(
            new_campaign(project, expansion, spec),
            name=name,
            total=total,
            megapixel_steps=megapixel_steps(expansion) * total / expansion.total,
            is_fresh=True,  # what another campaign has of the same recipe may be damaged too
            numerics_class=numerics_class if numerics_class in at_hand else None,
        )
        size = chunk_size(
            expansion,
            self._watching.seconds_per_megapixel_step(expansion.model.digest),
            self._chunk,
        )
        return self._campaigns.add(new, chunks_of(expansion, numbers, size, total=total))

    def _lend_references(
        self, campaign: CampaignRow, project: str, expansion: Expansion, numbers: Iterable[int]
    ) -> None:
        """See to it that the references that renders begin from are where a campaign of the
        project finds them.
        """
        shots = {
            render.shot.reference for render in (expansion.render(number)[1] for number in numbers)
        }
        for address in sorted(address for address in shots if address is not None):
            digest = expansion.sources.references[address]
            key = reference_key(campaign.project, digest)
            if not self._holds(key, digest):
                self._take_in_again(campaign.project, address, digest)
            if project != campaign.project:
                self._outputs.copy(key, reference_key(project, digest))

    def _take_in_again(self, project: str, address: str, digest: str) -> None:
        try:
            self._intake.keep(project, Sources(references={address: digest}))
        except RequestError as exc:
            raise RequestError(
                f"The reference {address} is not in the outputs any more, nor is it as it was"
                " where it came from."
            ) from exc

    def _holds(self, key: str, sha256: str | None) -> bool:
        try:
            return hashlib.sha256(self._read(key)).hexdigest() == sha256
        except NotFound:
            return False

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
        previews = expansion.campaign.previews
        for step in preview_steps(
            expansion.group(expansion.group_of(was.number)), previews.every if previews else None
        ):
            self._outputs.copy(preview_key(painted.key, step), preview_key(was.key, step))
        self._outputs.put(was.key, data)

    def _forget(self, repair: CampaignRow) -> None:
        for key in list(self._outputs.keys(campaign_folder(repair.project, repair.name))):
            self._outputs.delete(key)
        self._control.forget(repair.id)


def _repair_name(campaign: CampaignRow) -> str:
    """The same for each repair of a campaign, so that one that was broken off is found again."""
    return f"{campaign.name[:_NAME]}-repair-{campaign.id}"


def _facts(outcome: RenderOutcome) -> Json:
    return {
        "pixels": outcome.pixels,
        "digest": outcome.digest,
        "numerics_class": outcome.numerics_class,
        "detail": outcome.detail or outcome.state,
    }
