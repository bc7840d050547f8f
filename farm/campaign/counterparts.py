"""The same cell and seed in two versions of a campaign, and the redos that both have. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from farm.campaign.brand_checks import banned_in
from farm.campaign.expansion import Expansion
from farm.campaign.shots import Redo, Render


def seed_places(
    there: Expansion, here: Expansion, renders: Iterable[Render]
) -> Iterator[int | None]:
    """The place that the seed of each render of `here` has in the other version: seeds that are
    the same for every shot are found by what they are.
    """
    seeds = there.locked_seeds
    places = None if seeds is None else {seed: k for k, seed in enumerate(seeds)}
    for render in renders:
        yield (
            places.get(render.seed)
            if places is not None
            else (render.number % here.seeds_per_shot)
        )


def number_there(there: Expansion, render: Render, place: int | None) -> int | None:
    """The number that a render has in another version, in which its seed has that place."""
    number = None if place is None else there.number_of(render.shot.by_content, place)
    return number if number is not None and there.has(number) else None


def digest_of_render(expansion: Expansion, number: int) -> str:
    """The recipe's digest of a render."""
    return expansion.recipe(*expansion.render(number)).digest


def kept_redos(old: Expansion, new: Expansion) -> list[Redo]:
    """The redos of a version that go on to the one after it, numbered on from its last render:
    those whose cell it has, and whose pictures are the same there. The new version's brand must
    allow their prompts.
    """
    found: list[Redo] = []
    for redo, of in _cells_there(old, new):
        there = replace(redo, number=new.size + len(found), of=of)
        group_no, render = new.render(of)
        digest = new.recipe(group_no, there.changed(render)).digest
        is_banned = redo.prompt is not None and banned_in(new, redo.prompt)
        if digest == digest_of_render(old, redo.number) and not is_banned:
            found.append(there)
    return found


def redo_numbers(old: Expansion, new: Expansion) -> dict[int, int]:
    """The numbers of the redos that a version has from the one before, each with the number that
    it had there.
    """
    before = _cells_there(old, new)
    found: dict[int, int] = {}
    for number in sorted(new.redos):
        wanted = _known_by(new.redos[number])
        for redo, of in before:  # both have them in the same order
            if _known_by(replace(redo, of=of)) == wanted:
                found[number] = redo.number
                break
    return found


def _cells_there(old: Expansion, new: Expansion) -> Iterator[tuple[Redo, int]]:
    """The redos of a version with the number of their cell in another one that has it."""
    redos = [old.redos[number] for number in sorted(old.redos)]
    origins: Sequence[Render] = [old.render(redo.of)[1] for redo in redos]
    for redo, origin, place in zip(redos, origins, seed_places(new, old, origins), strict=True):
        of = number_there(new, origin, place)
        if of is not None:
            yield redo, of


def _known_by(redo: Redo) -> tuple[int, int, int, str | None]:
    return redo.of, redo.version, redo.seed, redo.prompt
