"""Renders that are asked for again with a recorded change: their numbers and their seeds. Pure."""

from collections import Counter
from collections.abc import Iterable

from farm.campaign.expansion import Expansion
from farm.campaign.seeds import derived_seed
from farm.campaign.shots import Redo


def redos_of(
    expansion: Expansion,
    numbers: Iterable[int],
    *,
    seed: int | None = None,
    next_seed: bool = False,
    prompt: str | None = None,
    have_proofs: bool = False,
) -> list[Redo]:
    """A redo of each of these renders, numbered on from the last one of the campaign. Without a
    seed and without `next_seed` they keep theirs.
    """
    versions: Counter[int] = Counter()  # of cells, without the first
    for redo in expansion.redos.values():
        versions[redo.of] = max(versions[redo.of], redo.version - 1)
    redos: list[Redo] = []
    for number in numbers:
        of = expansion.origin(number)
        versions[of] += 1
        version = versions[of] + 1
        before = expansion.render(number)[1]
        redos.append(
            Redo(
                number=expansion.size + len(redos),
                of=of,
                version=version,
                seed=_next_seed(expansion, of, version)
                if next_seed
                else before.seed
                if seed is None
                else seed,
                has_proof=have_proofs,
                prompt=prompt if prompt is not None else _prompt_of(expansion, number),
            )
        )
    return redos


def _prompt_of(expansion: Expansion, number: int) -> str | None:
    """The prompt that an earlier redo has changed."""
    redo = expansion.redos.get(number)
    return None if redo is None else redo.prompt


def _next_seed(expansion: Expansion, of: int, version: int) -> int:
    """The seed of another picture of a cell: of derived seeds the next ones of their series, for
    each place of the shot its own; of listed seeds those derived from the listed one.
    """
    per_shot = expansion.seeds_per_shot
    cell = expansion.grid.cell(of // per_shot)
    if expansion.seeding.has_series(cell):
        return expansion.seeding.seed(cell, per_shot * (version - 1) + of % per_shot)
    return derived_seed(expansion.render(of)[1].seed, version - 1, {})
