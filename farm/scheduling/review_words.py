"""Reviews in sentences: waiting for something that only a person can give. Pure."""

from collections.abc import Iterator

from farm.documents.counting import counted
from storage.rows import CampaignRow, RenderOutcome
from storage.states import RenderState, Verdict
from storage.verdicts import Decision


def why_undecided(campaign: CampaignRow) -> Iterator[str]:
    """What a campaign with proofs waits for, beside workers."""
    if not campaign.undecided:
        return
    name, proofs = campaign.name, campaign.proofs
    if proofs is not None and proofs.left:
        ended = proofs.total - proofs.left
        yield f"Its proofs come first: {ended:,} of {proofs.total:,} are painted."
        return
    renders = counted(campaign.undecided, "render is", "renders are")
    yield (
        f"It awaits a review: {renders} undecided. `farm review {name}` lists them, `farm approve"
        f" {name}` and `farm reject {name}` decide."
    )


def why_verdict(
    number: int, campaign: CampaignRow, last: Decision | None, proof: RenderOutcome | None
) -> Iterator[str]:
    """What was decided about one render, by the last decision that counts; what it waits for, if
    nobody has decided.
    """
    if last is not None and last.verdict is not None:
        by = f" by {last.reviewer}" if last.reviewer else ""
        reason = f" for {last.reason}" if last.reason else ""
        note = f": {last.note}" if last.note else "."
        yield f"Render {number} was {last.verdict}{reason}{by}{note}"
        if last.verdict is Verdict.REJECTED:
            yield f"`farm approve {campaign.name} {number}` takes that back."
    elif campaign.released is not None and proof is not None:
        is_there = "is painted" if proof.state is RenderState.DONE else f"is {proof.state}"
        yield (
            f"Render {number} awaits a review: its proof {is_there}. `farm approve"
            f" {campaign.name} {number}` has the final painted."
        )
