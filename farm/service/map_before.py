"""The version before, in the places of the present one: what a person sees who compares the two on
the grid.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from farm.service.render_maps import RenderMaps, file_digits
from farm.service.update import before_of, version_before
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.rows import RenderOutcome
from storage.states import Stage

Json = dict[str, Any]


class Befores:
    """Finds renders of the version before by those that have taken their places."""

    def __init__(self, campaigns: Campaigns, maps: RenderMaps) -> None:
        self._campaigns = campaigns
        self._maps = maps

    def of(
        self, project: str, name: str, version: int | None, stage: Stage, numbers: Sequence[int]
    ) -> Json:
        """For each of these renders, the one of the same values and seed in the version before,
        and its picture. Raises NotFound if there is no version before.
        """
        now = self._maps.campaign(project, name, version)
        earlier = version_before(self._campaigns.versions(project, now.name), now.version)
        if earlier is None:
            raise NotFound(f"The campaign {name} has no version before {now.version}.")
        (expansion, exists), (old, _) = (self._maps.expansion(row) for row in (now, earlier))
        wanted = [number for number in numbers if number < len(exists) and exists[number]]
        found = [before_of(old, expansion, number) for number in wanted]
        ended = self._ended(
            project, name, earlier.version, stage, [one[0] for one in found if one]
        )
        outcomes = [ended.get(one[0]) if one else None for one in found]
        return {
            "version": earlier.version,
            "numbers": wanted,
            "before": [one and one[0] for one in found],
            "same": [one is not None and one[1] for one in found],
            "files": [file_digits(outcome) for outcome in outcomes],
            "thumbnails": [outcome and outcome.thumbnail for outcome in outcomes],
        }

    def _ended(
        self, project: str, name: str, version: int, stage: Stage, numbers: Sequence[int]
    ) -> dict[int, RenderOutcome]:
        with suppress(NotFound):  # it had no proofs
            row = self._maps.campaign(project, name, version, stage)
            return {o.number: o for o in self._campaigns.outcomes_of(row.id, numbers)}
        return {}
