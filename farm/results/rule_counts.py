"""How many of a campaign's pictures fail each rule of their brand, in all and for each value of
each axis.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from farm.campaign.expansion import Expansion
from storage.rows import RenderOutcome

Json = dict[str, Any]
MOST_VALUES = 1_000
"""Values of an axis that are told: those of which the most pictures fail."""


def rule_counts(expansion: Expansion, outcomes: Iterable[RenderOutcome]) -> Json:
    """`judged` pictures, how many `passed` all rules, and for each rule in `rules` how many
    `failed` it, in all and in `axes` by the label of each value that has any.
    """
    judged = passed = 0
    failed: Counter[str] = Counter()
    by_value: dict[str, dict[str, Counter[str]]] = {}
    for outcome in outcomes:
        if outcome.rules_tested is None:
            continue
        judged += 1
        passed += not outcome.rules_failed
        failed.update(outcome.rules_failed)
        labels = _labels(expansion, outcome.number) if outcome.rules_failed else {}
        for rule in outcome.rules_failed:
            for axis, label in labels.items():
                by_value.setdefault(rule, {}).setdefault(axis, Counter())[label] += 1
    rules = {
        rule: {"failed": count, "axes": _most(by_value.get(rule, {}))}
        for rule, count in sorted(failed.items())
    }
    return {"judged": judged, "passed": passed, "rules": rules}


def fails(line: Mapping[str, Any], rule: str) -> bool:
    """Whether the picture of a manifest's line fails a rule, named with its version or without."""
    failed = line["rules"]["failed"] if line["rules"] else ()
    return any(rule in (name, name.partition("@")[0]) for name in failed)


def _labels(expansion: Expansion, number: int) -> dict[str, str]:
    return {
        axis.name: axis.label(index)
        for axis, index in zip(expansion.axes, expansion.cell(number), strict=True)
    }


def _most(by_axis: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {axis: dict(counts.most_common(MOST_VALUES)) for axis, counts in by_axis.items()}
