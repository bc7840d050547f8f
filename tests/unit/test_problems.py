"""No wrong value in any file or request is answered with words of pydantic or names of classes."""

import re
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from farm.api import bodies
from farm.campaign.checks import parse_campaign
from farm.campaign.schema import Campaign
from farm.documents.document import Document, DocumentError
from farm.fleet_file import FleetSpec
from farm.problems import check, keys_of, problem_of
from farm.simulation.trace_file import TraceSpec
from tests.campaigns import data

WRONG = (
    None, True, 0, 3, -1, 2.5, 1e30, 10**30, 10**400, float("nan"), float("inf"),
    "", "x", "Ä b", "1", "1.5", "true", "x" * 30_000, "\ud800",
    [], [1], [None], [[]], [{}], ["x", "x"], ["x"] * 1001,
    {}, {"a": 1}, {"a": None}, {"a": []}, {"a-b": ["x"]}, {"a" * 70: ["x"]},
    {f"a{k}": [k] for k in range(21)},
)  # fmt: skip
BODIES = [
    kind
    for kind in vars(bodies).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel
]
PYDANTIC = re.compile(
    r"input|instance|valid|dictionary|tuple|integer|string|\bfloat\b|boolean|should|pars(e|ing)"
    r"|errors\.pydantic|less than or equal|greater than|items? after|[a-z]_type|Error"
)


def documents(kind, start):
    """`start` with each wrong value at each place where the model has a field."""
    for name, field in kind.model_fields.items():
        for inner in places(field.annotation):
            yield {**start, name: inner}


def places(annotation):
    """Each wrong value itself, and within each list, mapping and model."""
    yield from WRONG
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from documents(annotation, {})
        return
    for part in filter(is_container, get_args(annotation)):
        yield from (within(annotation, inner) for inner in places(part))
    if get_origin(annotation) in (tuple, list, dict):
        yield from (within(annotation, value) for value in WRONG)


def is_container(annotation):
    return bool(get_args(annotation)) or (
        isinstance(annotation, type) and issubclass(annotation, BaseModel)
    )


def within(annotation, value):
    if get_origin(annotation) in (tuple, list):
        return [value]
    return {"a": value} if get_origin(annotation) is dict else value


def problems_of(read, document):
    try:
        read(document)
    except DocumentError as exc:
        return exc.problems
    return []


def as_model(kind):
    return lambda document: check(kind, document, Document("file.yaml", {}))


@pytest.mark.parametrize(
    ("kind", "read", "start"),
    [
        (Campaign, parse_campaign, data()),
        *((kind, as_model(kind), {}) for kind in (FleetSpec, TraceSpec, *BODIES)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_problem_speaks_of_types(kind, read, start):
    names = {"Campaign", "FleetSpec", "TraceSpec", "PoolSpec", "WorkSpec", "DerivedSeeds", "Lora"}
    tried = 0
    for document in documents(kind, start):
        for problem in problems_of(read, document):
            tried += 1
            assert not PYDANTIC.search(problem.message), (problem.place, problem.message)
            assert not names & set(re.findall(r"\w+", problem.message)), problem.message
            assert problem.message.endswith((".", "?", ")")), problem.message
    assert tried > 20 * len(kind.model_fields) or kind in BODIES


def test_every_list_and_mapping_of_a_file_has_an_example():
    for kind in (Campaign, FleetSpec, TraceSpec):
        for name in {*kind.model_fields} - {"seeds"}:
            for problem in problems_of(as_model(kind), {name: "x"}):
                if problem.path[:1] == (name,) and "write one, " in problem.message:
                    assert not re.search("a (list|mapping): write one, in", problem.message)


def test_the_keys_of_a_file_are_those_of_its_models():
    keys = {section: set(names) for section, names in keys_of(TraceSpec).items()}
    assert set(keys) == {"", "pools", "campaigns"}
    assert keys["pools"] == set(
        FleetSpec.model_fields["pools"].annotation.__args__[0].model_fields
    )


def test_a_request_is_read_without_words_of_other_tools():
    with pytest.raises(ValidationError) as error:
        bodies.Submission.model_validate({"campaign": {}, "seed": 7})
    problem = problem_of(error.value.errors()[0], {})
    assert problem.message == "unknown key 'seed': remove it."


def test_a_pool_is_not_called_a_campaign():
    (problem, *_) = problems_of(as_model(FleetSpec), {"pools": [{"name": "A b"}]})
    assert problem.message.startswith("'A b' cannot name a pool: ")
