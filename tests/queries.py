"""Checks of PromQL: what a query names must be served, and be asked in a way that can answer."""

import re
from datetime import timedelta
from pathlib import Path

import promql_parser as promql

ROOT = Path(__file__).parents[1]
OWN = frozenset({"job", "instance"})  # Prometheus adds them
RATES = frozenset({"rate", "irate", "increase"})
FRAGILE = frozenset({"topk", "bottomk", "sort"})
LEAST_RANGE = timedelta(minutes=1)  # four scrapes of 15 s
_COUNTED = ("_total", "_bucket", "_sum", "_count")


def documented():
    """The samples that docs/metrics.md promises, with their labels."""
    found = {}
    rows = re.findall(r"^\| `(farm_\w+)` \| ([\w, ]*?) ?\| (\w+)", _docs(), re.MULTILINE)
    for name, labels, kind in rows:
        names = {label.strip() for label in labels.split(",") if label.strip()}
        if kind == "Histogram":
            found |= {f"{name}_bucket": names | {"le"}}
            found |= {f"{name}_sum": names, f"{name}_count": names}
        else:
            found[name] = names
    return found


def _docs():
    return (ROOT / "docs" / "metrics.md").read_text()


def parse(query):
    """A query of a panel or a rule, with Grafana's variables as it would fill them in."""
    return promql.parse(query.replace("$__rate_interval", "1m"))


def walk(node):
    """The node and all below it, each with the functions around it."""
    yield from _walk(node, ())


def _walk(node, around):
    yield node, around
    inside = (*around, node.func.name) if isinstance(node, promql.Call) else around
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        below = getattr(node, name, None)
        for one in below if isinstance(below, list) else [below]:
            if isinstance(one, promql.Expr) or (name == "vector_selector" and one is not None):
                yield from _walk(one, inside)


def selectors(query):
    return [(node, around) for node, around in walk(parse(query))
            if isinstance(node, promql.VectorSelector)]  # fmt: skip


def names_in(query):
    return {node.name for node, _ in selectors(query)}


def faults(query, series, recorded=frozenset()):
    """What is wrong with a query, in sentences. `series` are those that are served, with their
    labels; `recorded` are names of recording rules.
    """
    found = []
    for node, around in selectors(query):
        if node.name in recorded:
            continue
        if node.name not in series:
            found.append(f"{node.name} is not served")
            continue
        asked = {matcher.name for matcher in node.matchers.matchers}
        found += [f"{node.name} has no label {name}" for name in asked - series[node.name] - OWN]
        if "job" not in asked:
            found.append(f"{node.name} is asked of every farm")
        is_counter = node.name.endswith(_COUNTED)
        if is_counter and not RATES & set(around):
            found.append(f"{node.name} is a counter: its value says nothing")
        if not is_counter and RATES & set(around):
            found.append(f"{node.name} is no counter")
    for node, _ in walk(parse(query)):
        if isinstance(node, promql.MatrixSelector) and node.range < LEAST_RANGE:
            found.append(f"a range of {node.range} may have one sample")
        if isinstance(node, promql.AggregateExpr):
            found += _aggregate_faults(node, series, recorded)
    return found


def _aggregate_faults(node, series, recorded):
    if str(node.op) in FRAGILE:
        yield f"{node.op} gives other series at each look"
    below = {one.name for one, _ in walk(node.expr) if isinstance(one, promql.VectorSelector)}
    kept = node.modifier.labels if node.modifier is not None else []
    having = set().union(OWN, *(series.get(name, ()) for name in below))
    if not below & recorded:
        for label in set(kept) - having:
            yield f"no series of {sorted(below)} has a label {label} to keep"


def alert_faults(rule, severities=("critical", "warning", "info")):
    """What is wrong with an alert but for its expression."""
    found = []
    texts = rule.get("annotations", {})
    found += [f"no {name}" for name in ("summary", "description", "runbook_url", "dashboard_url")
              if not texts.get(name)]  # fmt: skip
    if any("{{" in value for value in rule.get("labels", {}).values()):
        found.append("a label with a value starts the alert anew whenever it changes")
    if rule.get("labels", {}).get("severity") not in severities:
        found.append("no severity")
    if "{{" in texts.get("summary", ""):
        found.append("the summary differs from instance to instance")
    if not re.fullmatch(r"[1-9]\d*[mh]", rule.get("for", "")):
        found.append("no time for which it must last")
    if not rule["alert"].startswith("Farm"):
        found.append("the name does not say whose it is")
    kept = labels_left(rule["expr"])
    for label in re.findall(r"\$labels\.(\w+)", " ".join(texts.values())):
        if kept is not None and label not in kept:
            found.append(f"the alert has no label {label}")
    return found


def labels_left(query):
    """The labels that an expression's answer has; None if it keeps those of its series."""
    node = parse(query)
    while isinstance(node, promql.BinaryExpr | promql.ParenExpr):
        node = node.lhs if isinstance(node, promql.BinaryExpr) else node.expr
    if isinstance(node, promql.AggregateExpr):
        return set(node.modifier.labels) if node.modifier is not None else set()
    return None


def panels_of(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def board_faults(board):
    """What dashboards' linters ask for."""
    found = []
    if board.get("editable", True):
        found.append("people could change it, and lose it with the next version")
    variables = {one["name"] for one in board["templating"]["list"]}
    found += [f"no variable {name}" for name in {"datasource", "job"} - variables]
    for panel in panels_of(board):
        title = panel.get("title", "a panel")
        if not panel.get("description"):
            found.append(f"{title}: no description")
        if not panel["fieldConfig"]["defaults"].get("unit"):
            found.append(f"{title}: no unit")
        if panel["datasource"]["uid"] != "${datasource}":
            found.append(f"{title}: another source of data")
        if not panel.get("targets"):
            found.append(f"{title}: no query")
        for target in panel.get("targets", ()):
            query = target["expr"]
            if re.search(r"\[(?!\$__rate_interval\])", query) and "increase(" not in query:
                found.append(f"{title}: a range of its own in a rate")
            asked = set(re.findall(r"\$(\w+)", query)) - {"__rate_interval"}
            found += [f"{title}: {name} is no variable" for name in asked - variables]
    return found
