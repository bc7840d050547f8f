"""Which campaigns a pruning forgets, which it spares and why. Nothing here reads or writes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from farm.documents.counting import counted
from storage.rows import CampaignRow


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody wants to be forgotten: the campaigns named, or those that were over before a
    time.
    """

    names: frozenset[str] = frozenset()
    before: float | None = None
    with_pictures: bool = False


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What becomes of the campaigns that an order is about."""

    forgotten: tuple[CampaignRow, ...]
    spared: tuple[tuple[CampaignRow, str], ...]
    """With the sentence that says why."""


def choose(campaigns: Iterable[CampaignRow], order: Order, under_way: Collection[int]) -> Choice:
    """`under_way` has the ids of campaigns that workers paint something of."""
    meant = [campaign for campaign in campaigns if is_meant(campaign, order)]
    reasons = [(campaign, why_spared(campaign, order, under_way)) for campaign in meant]
    return Choice(
        forgotten=tuple(campaign for campaign, reason in reasons if reason is None),
        spared=tuple((campaign, reason) for campaign, reason in reasons if reason is not None),
    )


def is_meant(campaign: CampaignRow, order: Order) -> bool:
    """Whether an order is about a campaign. What a removal has begun is finished by the next one,
    whatever its age.
    """
    if order.names:
        return campaign.name in order.names
    return campaign.is_leaving or _is_old_enough(campaign, order.before)


def why_spared(campaign: CampaignRow, order: Order, under_way: Collection[int]) -> str | None:
    """Why a campaign that is meant is not forgotten; None if it is."""
    if campaign.is_leaving:
        return None
    if campaign.finished_at is None:
        return f"It is not over, but {campaign.state}: cancel it first, or wait for its end."
    if order.before is not None and not _is_old_enough(campaign, order.before):
        return "It has not been over for that long."
    if campaign.held and campaign.name not in order.names:
        renders = counted(campaign.held, "render is", "renders are")
        return (
            f"{renders} held, and a person has to look at that: name the campaign to forget it all"
            " the same."
        )
    if order.with_pictures and not {campaign.id, campaign.replaces}.isdisjoint(under_way):
        return "Workers still paint what an update has replaced: try again once they have stopped."
    return None


def _is_old_enough(campaign: CampaignRow, before: float | None) -> bool:
    return (
        before is not None and campaign.finished_at is not None and campaign.finished_at < before
    )


def goes_whole(campaign: CampaignRow, order: Order) -> bool:
    """Whether its pictures go too: once that was begun, it is finished."""
    return order.with_pictures or campaign.is_leaving
