"""What another version of a campaign keeps of the one before: the renders whose place, recipe and outcome stay as they are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from farm.expansion import Expansion, Render

_AT_ONCE = 5_000


def compare(old: Expansion, new: Expansion, digests: Callable[[list[int]], Mapping[int, str]]) -> tuple[list[tuple[int, int]], list[int]]:
    """The renders that stay, as (new number, old number), and the numbers of those that are to be painted: all, where files are to be
    written in another way.

    `digests` gives, of renders of the old version by number, the recipes' digests of those that have ended.
    """
    kept: list[tuple[int, int]] = []
    missing: list[int] = []
    if old.campaign.files != new.campaign.files:
        return kept, [render.number for _, render in new.all_renders()]
    for page in _pages(new.all_renders()):
        before = {render.number: _number_before(old, render, k) for (_, render), k in zip(page, _seed_places(old, new, page), strict=True)}
        known = digests([number for number in before.values() if number is not None])
        for group_no, render in page:
            number = before[render.number]
            if number is not None and number in known and known[number] == new.recipe(group_no, render).digest:
                kept.append((render.number, number))
            else:
                missing.append(render.number)
    return kept, missing


def _pages(renders: Iterable[tuple[int, Render]]) -> Iterator[list[tuple[int, Render]]]:
    series = iter(renders)
    while page := list(islice(series, _AT_ONCE)):
        yield page


def _seed_places(old: Expansion, new: Expansion, page: list[tuple[int, Render]]) -> Iterator[int | None]:
    """Where each render's seed stood among the old version's: seeds that are the same for every shot are found by what they are."""
    places = {seed: k for k, seed in enumerate(old.locked_seeds)} if old.locked_seeds is not None else None
    for _, render in page:
        yield places.get(render.seed) if places is not None else render.number % new.seeds_per_shot


def _number_before(old: Expansion, render: Render, k: int | None) -> int | None:
    number = None if k is None else old.number_of(render.shot.told, k)
    return number if number is not None and old.has(number) else None
