"""A ledger as text, as it is stored with a dispatcher's session."""

import json
from collections.abc import Mapping
from typing import Any

from farm.scheduling.history import History
from farm.scheduling.ledger import Ledger
from farm.scheduling.share import Shares
from farm.scheduling.trust import Record


def ledger_text(ledger: Ledger) -> str:
    """A ledger as JSON. Equal ledgers give equal texts."""
    shares, history = ledger.shares, ledger.history
    parts = {
        "projects": shares.projects,
        "campaigns": {str(number): level for number, level in shares.campaigns.items()},
        "active": sorted(shares.active_projects),
        "loads": history.loads,
        "paces": sorted(
            [model, shape, by_class] for (model, shape), by_class in history.paces.items()
        ),
        "records": {
            name: [record.blamed, record.quarantined_until, record.why]
            for name, record in ledger.records.items()
        },
    }
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read_ledger(text: str) -> Ledger:
    """A ledger as it was stored. Raises ValueError if it cannot be read: a later version of the
    farm may have written it.
    """
    try:
        return _ledger(json.loads(text))
    except (AttributeError, KeyError, TypeError) as exc:
        raise ValueError(f"The stored ledger cannot be read: {exc!r}") from exc


def _ledger(parts: Mapping[str, Any]) -> Ledger:
    return Ledger(
        shares=Shares(
            projects=parts["projects"],
            campaigns={int(number): level for number, level in parts["campaigns"].items()},
            active_projects=frozenset(parts["active"]),
        ),
        history=History(
            loads=parts["loads"],
            paces={(model, shape): by_class for model, shape, by_class in parts["paces"]},
        ),
        records={
            name: Record(blamed=tuple(blamed), quarantined_until=until, why=why)
            for name, (blamed, until, why) in parts["records"].items()
        },
    )
