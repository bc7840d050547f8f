"""Decisions go on to the version of a campaign that takes another one's place: those about
pictures that are the same in both.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of, proof_spec
from farm.service.update import counterparts
from storage.reviews import NewDecision, Outcome
from storage.rows import CampaignRow
from storage.verdicts import UNDECIDED, Decision, Numbers, Verdicts, last_entries

Json = dict[str, Any]
CARRIED = "update"
"""The client of decisions that an update has carried over."""


def carried(
    old: CampaignRow, log: list[Decision], new: CampaignRow
) -> Iterator[tuple[NewDecision, Numbers]]:
    """The decisions in a version's log that hold for another version too, and the renders that
    each is about there: those whose pictures, and whose proofs' pictures, have the same recipes.
    """
    entries = last_entries(log)
    here = _counterparts(old, new, [number for numbers in entries.values() for number in numbers])
    for entry in log:
        numbers = sorted(here[number] for number in entries.get(entry.id, ()) if number in here)
        if numbers:
            yield _decision(old, entry), np.array(numbers, np.int64)


def still_undecided(numbers: Numbers, before: Verdicts, _log: list[Decision]) -> Outcome:
    """What a carried decision is about: nobody's decision since is overruled."""
    left = numbers[before.codes[numbers] == UNDECIDED]
    return Outcome(left, {"changed": len(left), "why": []})


def _counterparts(old: CampaignRow, new: CampaignRow, numbers: list[int]) -> Mapping[int, int]:
    found = counterparts(expansion_of(old.spec), expansion_of(new.spec), numbers)
    if new.released is None:
        return found
    of_proofs = counterparts(_proofs(old), _proofs(new), list(found))
    return {number: there for number, there in found.items() if number in of_proofs}


def _proofs(campaign: CampaignRow) -> Expansion:
    return expansion_of(proof_spec(campaign.spec))


def _decision(old: CampaignRow, entry: Decision) -> NewDecision:
    return NewDecision(
        client=CARRIED,
        sequence=entry.id,
        verdict=entry.verdict,
        reason=entry.reason,
        note=entry.note,
        reviewer=entry.reviewer,
        chosen_by={"version": old.version, "entry": entry.id},
    )
