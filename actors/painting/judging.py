"""Judging finished pictures, and looks at their steps, by the rules of their brand and by their
distance from their anchor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from actors.painting.references import References
from actors.pictures import files
from actors.pictures.drift import Layout, drift, layout_from, layout_of
from actors.pictures.files import Pixels
from actors.pictures.rules import judge
from actors.recipes.errors import BadRequest
from actors.recipes.jobs import ChunkJob, PictureJob
from storage.errors import NotFound, RequestError
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from storage.store import Outputs


class Judging:
    """The anchors of one chunk's pictures, and verdicts on them."""

    def __init__(self, job: ChunkJob, references: References, outputs: Outputs) -> None:
        self._job = job
        self._references = references
        self._outputs = outputs
        self._anchors: dict[int, Layout | None] = {}
        self._known: dict[str, Layout] = {}

    def know(self, pictures: Sequence[PictureJob]) -> None:
        """Find the anchors of pictures, before they are judged: the picture that one begins from,
        else an approved proof, else the median of its set.
        """
        for picture in pictures if self._job.drift else ():
            if picture.number not in self._anchors:
                self._anchors[picture.number] = self._anchor(picture)

    def has_anchor(self, pictures: Iterable[PictureJob]) -> bool:
        """Whether any of these pictures, whose anchors are known, has one."""
        return any(self._anchors.get(picture.number) is not None for picture in pictures)

    def drift(self, picture: PictureJob, pixels: Pixels) -> float | None:
        """How far a picture, or a look at one of its steps, is from its anchor."""
        anchor = self._anchors.get(picture.number)
        return None if anchor is None else drift(layout_of(pixels), anchor)

    def judged(self, picture: PictureJob, outcome: RenderOutcome, pixels: Pixels) -> RenderOutcome:
        """The outcome of a picture with its verdicts: held for a person if one of them says so."""
        return self._by_drift(picture, self._by_rules(picture, outcome, pixels), pixels)

    def _by_rules(
        self, picture: PictureJob, outcome: RenderOutcome, pixels: Pixels
    ) -> RenderOutcome:
        rules = self._job.rules
        if rules is None:
            return outcome
        verdict = judge(pixels, rules)
        outcome = replace(outcome, rules_tested=verdict.tested, rules_failed=verdict.failed)
        if not (verdict.failed and rules.holds) or picture.passed:
            return outcome
        names = ", ".join(verdict.failed)
        return replace(
            outcome,
            state=RenderState.HELD,
            reason=Reason.BRAND,
            detail=f"It fails {names} of {verdict.tested} rules of its brand.",
        )

    def _by_drift(
        self, picture: PictureJob, outcome: RenderOutcome, pixels: Pixels
    ) -> RenderOutcome:
        rule = self._job.drift
        if rule is None:
            return outcome
        if self._anchors.get(picture.number) is None:
            own = (picture.seed, layout_of(pixels).text) if rule.uses_sets else None
            return replace(outcome, set_layout=own)
        outcome = replace(outcome, drift=self.drift(picture, pixels))
        verdict = rule.verdict(outcome.drift)
        if verdict is None or picture.passed or outcome.state is RenderState.HELD:
            return outcome
        state, reason, detail = verdict
        return replace(outcome, state=state, reason=reason, detail=detail)

    def _anchor(self, picture: PictureJob) -> Layout | None:
        if picture.reference is not None:
            if picture.reference not in self._known:
                pixels = self._references.get(self._job, [picture])[picture.reference]
                self._known[picture.reference] = layout_of(pixels)
            return self._known[picture.reference]
        if picture.anchor_key is not None and (proof := self._proof(picture.anchor_key)):
            return proof
        return None if picture.anchor is None else layout_from(picture.anchor)

    def _proof(self, key: str) -> Layout | None:
        """The layout of a proof; None if there is none of that shot and seed."""
        try:
            found = files.read(self._outputs.read(key, files.MAX_FILE))
        except NotFound:
            return None
        except RequestError as exc:
            raise BadRequest(f"The proof {key} cannot be read: {exc}") from exc
        return None if found is None else layout_of(found.pixels)
