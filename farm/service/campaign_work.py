"""What there is to paint of a campaign that is not submitted yet: its proofs and finals by shape
and size, and how many of them the project has already.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from farm.campaign.expansion import Expansion
from farm.campaign.selection import Numbers, all_numbers, proof_numbers
from farm.campaign.specs import expansion_of, proof_spec
from farm.scheduling.forecast import Part
from storage.model_history import ModelHistory
from storage.reuse import Reuse

Json = dict[str, Any]
Size = tuple[int, int]
LOOKED_AT = 10_000
"""Renders that are looked for in the project: of more, every so many-th stands for all."""
_GROUPS = 1_000  # that stand for all


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The renders of a campaign, or of its proofs."""

    expansion: Expansion
    numbers: Numbers = field(repr=False)

    @property
    def total(self) -> int:
        return len(self.numbers)


def stages_of(expansion: Expansion, spec: Json) -> list[Stage]:
    """The finals of a campaign, then its proofs if it has any."""
    finals = Stage(expansion=expansion, numbers=all_numbers(expansion))
    proof = expansion.campaign.proof
    if proof is None:
        return [finals]
    numbers = proof_numbers(expansion, proof)
    return [finals, Stage(expansion=expansion_of(proof_spec(spec)), numbers=numbers)]


def parts_of(stage: Stage, share: float = 1.0) -> list[Part]:
    """A share of a stage's renders by their shape."""
    renders: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    for group, count in _groups(stage):
        renders[group.shape] += count
        work[group.shape] += count * group.megapixel_steps
    return [
        Part(shape=shape, renders=round(count * share), megapixel_steps=work[shape] * share)
        for shape, count in renders.items()
    ]


def sizes_of(stage: Stage) -> Counter[Size]:
    """The renders of a stage by their size in pixels."""
    sizes: Counter[Size] = Counter()
    for group, count in _groups(stage):
        sizes[group.width, group.height] += round(count)
    return sizes


def _groups(stage: Stage) -> Iterator[tuple[Any, float]]:
    """Groups with how many renders each has; of very many the first stand for all."""
    expansion = stage.expansion
    sampled = range(min(expansion.groups, _GROUPS))
    places = [expansion.shots_in_group(k) for k in sampled]
    for group_no in sampled:
        yield expansion.group(group_no), stage.total * places[group_no] / sum(places)


@dataclass(frozen=True, kw_only=True)
class Reused:
    """How many renders of a stage the project has, as far as `sampled` tell it."""

    renders: int
    sampled: int


def reused_of(
    stage: Stage, project: str, numerics_class: str | None, open_reuse: Callable[[], Reuse]
) -> Reused:
    """The renders that a worker of a numerics class would copy and not paint."""
    campaign, reuse = stage.expansion.campaign, open_reuse()
    siblings = reuse.siblings_of(
        project,
        stage.expansion.model.digest,
        campaign.files,
        with_retired=campaign.previews is None,
    )
    if not siblings or numerics_class is None:
        return Reused(renders=0, sampled=0)
    step = -(-stage.total // LOOKED_AT)
    sample = stage.numbers[::step].tolist()
    digests = {stage.expansion.recipe(*stage.expansion.render(number)).digest for number in sample}
    found = len(reuse.find(siblings, digests, numerics_class))
    return Reused(renders=round(found * stage.total / len(sample)), sampled=len(sample))


def files_of(
    history: ModelHistory, model_digest: str, encoding: str
) -> Iterator[tuple[Size, int]]:
    """The sizes of some pictures of a model in pixels and bytes."""
    for files in history.files(model_digest, encoding):
        expansion = expansion_of(files.spec)
        for number, count in files.bytes.items():
            group = expansion.group(expansion.group_of(number))
            yield (group.width, group.height), count
