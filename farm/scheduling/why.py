"""Why a campaign or a render is in its state, in sentences. Pure: callers pass in all that is
known.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from farm.documents.counting import counted
from farm.scheduling.budget import is_spent, nearly_spent_sentence, spent_sentence
from farm.scheduling.orders import order_sentence
from farm.scheduling.reasons import reason_sentence
from farm.scheduling.refusal import Refusal, Rule, read_refusal
from storage.orders import FleetOrders
from storage.rows import ANY_CLASS, CampaignRow, Chunk, RenderOutcome, WorkerRow
from storage.states import CampaignState, ChunkState, Reason, RenderState, WorkerState


@dataclass(frozen=True, kw_only=True)
class Farm:
    """The farm's part in why a campaign waits."""

    dispatcher: str | None
    """The host of the dispatcher that leads."""
    workers: Sequence[WorkerRow]
    orders: FleetOrders = field(default_factory=FleetOrders)
    """An operator's orders to the fleet."""


NO_FARM = "No farm is running: start one with `farm up`."


def standstill(campaign: CampaignRow, *, is_led: bool) -> str | None:
    """Why nothing of a campaign is painted although its state says that it runs or waits; None if
    nothing stands in the way.
    """
    if campaign.state not in (CampaignState.QUEUED, CampaignState.RUNNING):
        return None
    if not is_led:
        return NO_FARM
    return (
        None
        if campaign.waits_for is None
        else f"Something that it needs cannot be used now: {campaign.waits_for}"
    )


def refusal_to(campaign: CampaignRow, *, is_led: bool) -> Refusal | None:
    """The rule that keeps the rest of a campaign waiting, as the dispatcher last found; None if
    nothing of it waits for a worker, or no dispatcher is at work.
    """
    if campaign.state not in (CampaignState.QUEUED, CampaignState.RUNNING):
        return None
    if not (is_led and campaign.queued) or campaign.waits_for is not None:
        return None
    return read_refusal(campaign.refusal)


def why_campaign(campaign: CampaignRow, farm: Farm) -> list[str]:
    """Why it waits, or what is being done about it; the first reason first."""
    if campaign.is_over:
        return [_over(campaign)]
    reasons = list(_held_back(campaign))
    if farm.dispatcher is None:
        reasons.append(NO_FARM)
    elif not reasons:
        reasons += _waits_for_workers(campaign, farm)
    if campaign.running:
        painted = counted(campaign.running, "of its renders is", "of its renders are")
        waits = counted(campaign.queued, "waits", "wait")
        reasons.insert(0, f"{painted} being painted, {waits}.")
    return reasons or ["Its next chunk is about to be given to a worker."]


def why_render(
    number: int,
    campaign: CampaignRow,
    farm: Farm,
    *,
    outcome: tuple[RenderOutcome, int, str | None] | None,
    chunk: tuple[ChunkState, Chunk, int] | None,
) -> list[str]:
    """The same for one render: how it ended, or the chunk that it is in and the number of chunks
    ahead of that.
    """
    if outcome is not None:
        ended, attempts, worker = outcome
        where = f" by {worker}" if worker else ""
        how = (
            "copied from a render of the same recipe, not painted"
            if ended.reason is Reason.COPIED
            else ended.reason
        )
        return [
            f"Render {number} is {ended.state} ({how}){where}, on attempt {attempts}.",
            *filter(None, [ended.detail]),
        ]
    if chunk is None:
        return [
            (
                f"Render {number} was cancelled."
                if campaign.cancelled_at
                else f"Render {number} waits."
            ),
            *why_campaign(campaign, farm),
        ]
    state, held, ahead = chunk
    tries = (
        f" It has been given out {held.lease} times before."
        if state is ChunkState.QUEUED and held.lease
        else ""
    )
    if state is ChunkState.LEASED:
        return [
            (
                f"Render {number} is in a chunk of {held.total} that {held.worker} has, on attempt"
                f" {held.lease}."
            )
        ]
    return [
        (
            f"Render {number} waits in a chunk of {held.total}, behind"
            f" {counted(ahead, 'chunk')} of its"
            f" campaign.{tries}"
        ),
        *why_campaign(campaign, farm),
    ]


def nothing_to_retry(campaign: CampaignRow, states: Sequence[RenderState]) -> str:
    """Why trying a campaign's renders in these states again queues none."""
    if not states:
        return "Neither failed nor held renders were asked for."
    for state, count in ((RenderState.FAILED, campaign.failed), (RenderState.HELD, campaign.held)):
        if count and state not in states:
            return (
                f"No render of {campaign.name} is {states[0]}, but {count:,} {state}: `farm retry"
                f" {campaign.name} --{state}`."
            )
    damaged = (
        f" A file that is damaged or missing is painted again by `farm verify {campaign.name}"
        " --repair`."
        if campaign.done
        else ""
    )
    return f"No render of {campaign.name} failed or is held: {_counted(campaign)}.{damaged}"


def render_not_retried(campaign: CampaignRow, outcome: RenderOutcome) -> str:
    """Why trying one render again that has ended does not queue it."""
    name, number, state = campaign.name, outcome.number, outcome.state
    if state is RenderState.DONE:
        return (
            f"The render {number} of {name} is done, and only what failed or is held is tried"
            f" again. If its file is damaged or missing, `farm verify {name} --repair` paints it"
            " again."
        )
    ended = "failed" if state is RenderState.FAILED else f"is {state}"
    return (
        f"The render {number} of {name} {ended}: `farm retry {name}/{number} --{state}` tries it"
        " again."
    )


def without_its_class(campaign: CampaignRow, workers: Sequence[WorkerRow]) -> str | None:
    """A sentence for a campaign whose pixels are of a numerics class that no worker has; else
    None.
    """
    if campaign.is_over or campaign.numerics_class in (None, ANY_CLASS):
        return None
    others = sorted({worker.numerics_class for worker in workers if worker.numerics_class})
    if not others or campaign.numerics_class in others:
        return None
    return (
        f"Its pixels are of the numerics class {campaign.numerics_class}, which no worker has:"
        f" there are {', '.join(others)}. Start a worker of that class, or let others paint the"
        " rest, with pixels that may differ: `numerics: any` in the file and `farm submit"
        " --update`."
    )


def _over(campaign: CampaignRow) -> str:
    again = (
        " `farm retry` tries what failed or is held again."
        if campaign.failed + campaign.held > campaign.held_by_rule and not campaign.cancelled_at
        else ""
    )
    held = (
        f" `farm review {campaign.name}` shows what drift or a brand rule holds, for `farm"
        " approve` or `farm reject`."
        if campaign.held_by_rule
        else ""
    )
    return f"It is over ({campaign.state}): {_counted(campaign)}.{again}{held}"


def _counted(campaign: CampaignRow) -> str:
    counts = {
        "queued": campaign.queued,
        "running": campaign.running,
        "done": campaign.done,
        "failed": campaign.failed,
        "held": campaign.held,
        "cancelled": campaign.cancelled,
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _held_back(campaign: CampaignRow) -> Iterable[str]:
    if campaign.cancelled_at is not None:
        yield "It was cancelled; what is under way ends with its batch."
        return
    if is_spent(campaign):
        yield f"It is over budget. {spent_sentence(campaign)}"
    elif campaign.state is CampaignState.HALTED:
        yield f"It was stopped: {campaign.halted} `farm resume {campaign.name}` lets it go on."
    if campaign.state is CampaignState.PAUSED:
        yield f"It is paused: `farm resume {campaign.name}` lets it go on."
    elif campaign.waits_for is not None and campaign.waits_until is not None:
        left = campaign.waits_until - campaign.now
        yield (
            f"Something that it needs cannot be used now; it is tried again in {left:.0f} s (time"
            f" {campaign.waits} in a row): {campaign.waits_for}"
        )


def _waits_for_workers(campaign: CampaignRow, farm: Farm) -> Iterable[str]:
    states = Counter(worker.state for worker in farm.workers)
    ready = sum(states[state] for state in WorkerState if state.takes_work)
    refusal = refusal_to(campaign, is_led=True)
    rule = None if refusal is None else refusal.rule
    if lack := without_its_class(campaign, farm.workers):
        yield lack
    elif nearly_spent := nearly_spent_sentence(campaign):
        yield nearly_spent
    elif refusal is not None and rule is not Rule.NO_WORKER:
        yield reason_sentence(refusal)
    yield from _ordered(campaign, farm.orders, ready + states[WorkerState.STARTING])
    if quarantined := states[WorkerState.QUARANTINED]:
        workers = counted(quarantined, "worker is", "workers are")
        yield f"{workers} in quarantine: `farm workers` says why."
    if not ready:
        yield f"No worker is ready; {counted(states[WorkerState.STARTING], 'is', 'are')} starting."


def _ordered(campaign: CampaignRow, orders: FleetOrders, workers: int) -> Iterable[str]:
    """The orders that keep more workers from coming."""
    binds = {
        "ceiling": orders.ceiling is not None and workers >= orders.ceiling,
        "is_frozen": orders.is_frozen,
    }
    for limit, is_bound in binds.items():
        if is_bound and campaign.queued:
            yield (
                f"{order_sentence(orders, limit)} No more workers come until that is changed:"
                " `farm scale --default` takes orders back."
            )
