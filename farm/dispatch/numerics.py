"""Whether a worker's pictures can be trusted to repeat: its canaries are compared with those known
of its numerics class.
"""

from dataclasses import replace

from actors.recipes.canary import unlike_its_class
from actors.recipes.jobs import ChunkResult, Failure, FailureKind
from storage.canaries import Canaries


class Judge:
    """Compares results with the canaries of one job database, and remembers those it has seen."""

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self._seen: dict[tuple[str, str], str] = {}

    def known(self, subject: str) -> dict[str, str]:
        """The canaries that a worker compares with its own before it paints, by class."""
        return self._canaries.known(subject)

    def judged(self, result: ChunkResult) -> ChunkResult:
        """The result; it becomes a failure if its worker's canaries differ from those of its
        class. The first canaries of a class are believed.
        """
        canary = result.canary
        if (
            canary is None
            or self._seen.get((canary.subject, canary.numerics_class)) == canary.digest
        ):
            return result
        known = self._canaries.record(
            subject=canary.subject,
            numerics_class=canary.numerics_class,
            digest=canary.digest,
            worker=result.worker,
        )
        self._seen[canary.subject, canary.numerics_class] = known
        if known == canary.digest:
            return result
        failure = Failure(
            kind=FailureKind.NUMERICS,
            detail=unlike_its_class(result.worker, canary.numerics_class),
        )
        return replace(result, outcomes=(), bad_outputs=(), failure=failure)
