"""Control of campaigns: pause, resume, cancel, priority and retry."""

from collections.abc import Iterator, Sequence

from farm.campaign.chunks import chunks_of
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.scheduling.budget import is_spent, spent_sentence
from farm.scheduling.why import nothing_to_retry, render_not_retried
from farm.service.new_campaign import measured_size
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import Conflict, NotFound
from storage.rows import CampaignRow, NewChunk
from storage.states import RenderState
from storage.watching import Watching


class CampaignControl:
    """Changes what the farm does with a campaign."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        control: Control,
        watching: Watching,
        chunk: int | None = None,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work."""
        self._campaigns = campaigns
        self._control = control
        self._watching = watching
        self._chunk = chunk

    def pause(self, project: str, name: str) -> None:
        self._control.pause(self._open(project, name, "paused").id)

    def resume(self, project: str, name: str) -> None:
        """Let it go on, whatever stopped it. Raises RequestError where its budget is spent: it
        would be stopped again at once.
        """
        campaign = self._open(project, name, "resumed")
        if is_spent(campaign):
            raise Conflict(f"The campaign {name} cannot be resumed. {spent_sentence(campaign)}")
        self._control.resume(campaign.id)

    def cancel(self, project: str, name: str) -> None:
        self._control.cancel(self._campaigns.get(project, name).id)

    def set_priority(self, project: str, name: str, priority: int) -> None:
        self._control.set_priority(self._campaigns.get(project, name).id, priority)

    def retry(
        self, project: str, name: str, states: Sequence[RenderState], number: int | None = None
    ) -> int:
        """Queue renders in these states again, all or one, proofs too; returns how many."""
        campaign = self._campaigns.get(project, name)
        check_number(expansion_of(campaign.spec), campaign, number)
        rows = [campaign, *([self._campaigns.proofs_of(campaign)] if campaign.proofs else [])]
        return sum(self._retry(row, states, number) for row in rows)

    def _retry(
        self, campaign: CampaignRow, states: Sequence[RenderState], number: int | None
    ) -> int:
        expansion = expansion_of(campaign.spec)
        size = measured_size(expansion, self._watching, self._chunk)

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
            raise Conflict(render_not_retried(campaign, found[0]))
        return [
            f"The render {number} of {name} has not ended: it waits or is being painted already."
        ]

    def _open(self, project: str, name: str, verb: str) -> CampaignRow:
        campaign = self._campaigns.get(project, name)
        if campaign.is_over:
            raise Conflict(f"The campaign {name} is over ({campaign.state}): it cannot be {verb}.")
        return campaign


def check_number(expansion: Expansion, campaign: CampaignRow, number: int | None) -> None:
    """Raise NotFound for a number that is not None and is not that of a render."""
    if number is not None and not expansion.has(number):
        raise NotFound(
            f"The campaign {campaign.name} has no render {number}: its manifest has their numbers."
        )
