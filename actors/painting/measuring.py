"""What painting a chunk cost: the facts of a worker's answer."""

from collections import defaultdict
from collections.abc import Sequence

from actors.painting.engine import Painted
from actors.painting.writing import Written
from actors.recipes.jobs import ChunkJob, Facts, PictureJob
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState


class Measuring:
    """The device time of the batches of one chunk."""

    def __init__(self, job: ChunkJob) -> None:
        self._job = job
        self._load_s = 0.0
        self._loads = self._swaps = 0
        self._batch_s: list[float] = []
        self._begun_s: list[float] = []
        self._resumed_s: list[float] = []
        self._steps = 0
        self._seconds: defaultdict[int, float] = defaultdict(float)
        self._place_s: defaultdict[int, float] = defaultdict(float)
        """By number, the time of the picture's own places in batches, without those beside it."""
        self._padding_s = 0.0

    def note(
        self,
        batch: Sequence[PictureJob],
        painted: Painted,
        *,
        until: int | None,
        is_resumed: bool,
    ) -> None:
        """Note a batch: whole, up to a step, or the rest of its steps."""
        made, rule = self._job.group.steps_made, self._job.drift
        begun = rule.stop_step if rule and rule.stop_step else 0
        self._steps += until or (made - begun if is_resumed else made)
        self._load_s += painted.load_s
        self._loads += painted.loads
        self._swaps += painted.swaps
        self._batch_s.append(painted.paint_s)
        if until:
            self._begun_s.append(painted.paint_s)
        if is_resumed:
            self._resumed_s.append(painted.paint_s)
        places = self._job.group.batch
        place_s = painted.paint_s / places
        for picture in batch:
            self._seconds[picture.number] += painted.paint_s / len(batch)
            self._place_s[picture.number] += place_s
        self._padding_s += place_s * (places - len(batch))

    def seconds_of(self, picture: PictureJob) -> float:
        """A picture's share of the device time of its batches so far."""
        return self._seconds[picture.number]

    def facts(
        self,
        numerics_class: str,
        found: Sequence[RenderOutcome],
        written: Sequence[Written],
        chunk_s: float = 0.0,
    ) -> Facts:
        """`found` are the outcomes of pictures of which this chunk has written no file. `chunk_s`
        is the wall time since the chunk came.
        """
        group = self._job.group
        made = max(1, group.steps_made)
        # A batch that goes on is the same batch as before: its places are counted once.
        slots = (len(self._batch_s) - len(self._resumed_s)) * group.batch
        copied = sum(outcome.reason is Reason.COPIED for outcome in found)
        done = sum(outcome.state is RenderState.DONE for outcome in found)
        stopped = sum(outcome.reason is Reason.DRIFT_STOPPED for outcome in found)
        return Facts(
            numerics_class=numerics_class,
            shape=group.shape,
            load_s=self._load_s,
            loads=self._loads,
            swaps=self._swaps,
            batch_s=tuple(self._batch_s),
            kept_s=sum(self._place_s[w.outcome.number] for w in written if _is_kept(w.outcome)),
            padding_s=self._padding_s,
            stopped_s=sum(
                self._place_s[o.number] for o in found if o.reason is Reason.DRIFT_STOPPED
            ),
            chunk_s=chunk_s,
            megapixel_steps=self._steps / made * group.batch * group.megapixel_steps,
            encode_s=sum(w.seconds for w in written),
            pictures=len(written),
            slots=slots,
            stopped=stopped,
            saved_s=self._saved_s(made),
            adopted=done - copied,
            copied=copied,
            uploads=sum(w.files for w in written),
            upload_bytes=sum(w.bytes for w in written),
        )

    def _saved_s(self, made: int) -> float:
        """The batches that did not go on, at the time that others took for the rest, or that the
        rest would have taken by the time of their first steps.
        """
        fewer = len(self._begun_s) - len(self._resumed_s)
        rule = self._job.drift
        if fewer <= 0 or rule is None or not rule.stop_step:
            return 0.0
        if self._resumed_s:
            return fewer * sum(self._resumed_s) / len(self._resumed_s)
        per_step = sum(self._begun_s) / len(self._begun_s) / rule.stop_step
        return fewer * per_step * (made - rule.stop_step)


def _is_kept(outcome: RenderOutcome) -> bool:
    return outcome.state in (RenderState.DONE, RenderState.HELD)
