"""What another version of a campaign keeps of the one before: the renders whose place, recipe and
outcome stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from actors.recipes.rules import Rules
from farm.campaign.counterparts import (
    digest_of_render,
    number_there,
    redo_numbers,
    seed_places,
)
from farm.campaign.expansion import Expansion
from farm.campaign.shots import Render
from farm.campaign.specs import expansion_of, fingerprint
from storage.rows import CampaignRow

_AT_ONCE = 5_000
_NAMED_FIRST = 5

Json = dict[str, Any]
Kept = Sequence[tuple[int, int]]
"""Renders that stay, as (new number, old number)."""
Digests = Callable[[list[int]], Mapping[int, str]]
"""Gives, of renders by number, the recipes' digests of those that have ended."""


def compare(
    old: Expansion, new: Expansion, digests: Digests
) -> tuple[list[tuple[int, int]], list[int]]:
    """The renders that stay, as (new number, old number), and the numbers of those that are to be
    painted: all, if files are to be written or judged in another way. Most of these are copied
    then, not painted.

    `digests` gives, of renders of the old version by number, the recipes' digests of those that
    have ended.
    """
    kept: list[tuple[int, int]] = []
    missing: list[int] = []
    if old.campaign.files != new.campaign.files or _rules(old) != _rules(new):
        return kept, [render.number for _, render in new.all_renders()] + sorted(new.redos)
    for page in _pages(new.all_renders()):
        renders = [render for _, render in page]
        before = {
            render.number: number_there(old, render, k)
            for render, k in zip(renders, seed_places(old, new, renders), strict=True)
        }
        known = digests([number for number in before.values() if number is not None])
        for group_no, render in page:
            number = before[render.number]
            if (
                number is not None
                and number in known
                and known[number] == new.recipe(group_no, render).digest
            ):
                kept.append((render.number, number))
            else:
                missing.append(render.number)
    redone = redo_numbers(old, new)
    known = digests(sorted(redone.values()))
    for number in sorted(new.redos):
        was = redone.get(number)
        if was is not None and known.get(was) == digest_of_render(new, number):
            kept.append((number, was))
        else:
            missing.append(number)
    return kept, missing


def counterparts(old: Expansion, new: Expansion, numbers: Iterable[int]) -> dict[int, int]:
    """The numbers in the new version, by those in the old one, of renders whose pictures are the
    same in both: of none, if files are to be written or judged in another way.
    """
    found: dict[int, int] = {}
    if old.campaign.files != new.campaign.files or _rules(old) != _rules(new):
        return found
    redone = {was: number for number, was in redo_numbers(old, new).items()}
    for page in _pages((0, old.render(n)[1]) for n in numbers):
        renders = [render for _, render in page]
        for render, k in zip(renders, seed_places(new, old, renders), strict=True):
            is_redo = render.number in old.redos
            number = redone.get(render.number) if is_redo else number_there(new, render, k)
            if number is None:
                continue
            if digest_of_render(new, number) == digest_of_render(old, render.number):
                found[render.number] = number
    return found


def version_before(known: Sequence[CampaignRow], version: int) -> CampaignRow | None:
    """Of a campaign's versions, oldest first, the one before; None if there is none any more."""
    return next((other for other in reversed(known) if other.version < version), None)


def before_of(old: Expansion, new: Expansion, number: int) -> tuple[int, bool] | None:
    """The number that a render of the new version has in the old one, with the same coordinates
    and seed, and whether it is the same picture; None if it has none.
    """
    render = new.render(number)[1]
    if number in new.redos:
        found = redo_numbers(old, new).get(number)
    else:
        (k,) = seed_places(old, new, [render])
        found = number_there(old, render, k)
    if found is None:
        return None
    are_alike = digest_of_render(old, found) == digest_of_render(new, number)
    return found, are_alike and old.campaign.files == new.campaign.files


def _rules(expansion: Expansion) -> Rules | None:
    return expansion.brand.rules if expansion.brand else None


def _pages(renders: Iterable[tuple[int, Render]]) -> Iterator[list[tuple[int, Render]]]:
    series = iter(renders)
    while page := list(islice(series, _AT_ONCE)):
        yield page


def counts(before: int, after: int, kept: int) -> Json:
    """What an update does, in renders: of `before` and `after` in the two versions, `kept` stay as
    they are.
    """
    return {"kept": kept, "new": after - kept, "retired": before - kept}


def outlook(
    known: CampaignRow,
    new: Expansion,
    spec: Json,
    digests: Digests,
    *,
    is_fresh: bool,
    pace_s: float,
) -> Json:
    """What putting another version in a campaign's place would do: `updated` counts its renders,
    `changes` names the first of each kind and tells the work of those that are new, at `pace_s`
    seconds a megapixel-step.
    """
    old = expansion_of(known.spec)
    kept: Kept = []
    missing: Collection[int] = []
    if is_fresh:
        missing = list(_numbers(new))
    elif known.fingerprint == fingerprint(spec):
        kept = [(number, number) for number in _numbers(old)]
    else:
        kept, missing = compare(old, new, digests)
    told = _changes(old, new, kept, missing)
    told["estimate_s"] = round(told["megapixel_steps"] * pace_s, 3)
    return {"updated": counts(known.total, new.count, len(kept)), "changes": told}


def _changes(old: Expansion, new: Expansion, kept: Kept, missing: Collection[int]) -> Json:
    """The first renders that are kept, new and retired, as `shot/seed`, and the work that the new
    ones are.
    """
    stay = {number for _, number in kept}
    by_group = Counter(map(new.group_of, missing))
    return {
        "kept": _named(new, (number for number, _ in kept)),
        "new": _named(new, sorted(missing)),
        "retired": _named(old, (number for number in _numbers(old) if number not in stay)),
        "megapixel_steps": round(
            sum(new.group(k).megapixel_steps * count for k, count in by_group.items()), 3
        ),
    }


def _named(expansion: Expansion, numbers: Iterable[int]) -> list[str]:
    renders = (expansion.render(number)[1] for number in islice(numbers, _NAMED_FIRST))
    return [f"{render.shot.key}/{render.seed}" for render in renders]


def _numbers(expansion: Expansion) -> Iterator[int]:
    for group_no in range(expansion.groups):
        yield from expansion.numbers(group_no)
    yield from sorted(expansion.redos)
