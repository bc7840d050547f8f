"""The parts of the scripts that touch no page: numbers in their order, and texts from forms."""

import pytest
import yaml

from farm.web.static_files import static_files


@pytest.fixture
def run(look):
    """Evaluates an expression with the exports of a module."""
    page = look.open("/", bypass_csp=True)

    def run(module, expression, value=None):
        address = static_files().url(module)
        return page.evaluate(
            f"async (value) => {{ const it = await import('{address}'); return {expression}; }}",
            value,
        )

    return run


def form(**changes):
    fields = {
        "name": "mugs", "model": "seedling", "prompt": "a {color} mug", "negative": "",
        "axes": [["color", ["red"]]], "seeds": "2", "steps": "20", "proofs": "",
    }  # fmt: skip
    return {**fields, **changes}


HOSTILE = [
    "yes",
    "no",
    "null",
    "1.10",
    "- a",
    "a: b",
    "#",
    '"',
    "'",
    "\\",
    "{x}",
    "\t",
    "é 😀",
    "a\nb",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_typed_into_a_form_stays_a_text(run, text):
    fields = form(name=text, prompt=text, negative=text, axes=[[text, [text, "red"]]])
    read = yaml.safe_load(run("campaign_text.js", "it.asText(value)", fields))
    assert (read["name"], read["prompt"], read["negative"]) == (text, text, text)
    assert read["vary"] == {text: [text, "red"]}


@pytest.mark.parametrize(
    ("field", "typed"),
    [("seeds", "1}\nx: 1"), ("steps", "4 # no"), ("proofs", "-1"), ("seeds", "")],
)
def test_what_is_no_number_is_not_written_as_one(run, field, typed):
    read = yaml.safe_load(run("campaign_text.js", "it.asText(value)", form(**{field: typed})))
    assert set(read) <= {"name", "model", "prompt", "vary", "seeds", "settings", "proof"}
    assert isinstance(read["seeds"]["count"], int)
    assert isinstance(read["settings"]["steps"], int)


@pytest.mark.parametrize(
    ("typed", "cells"),
    [
        ("red, blue", ["red", "blue"]),
        (' red ,"dark, blue" , "" ', ["red", "dark, blue"]),
        ("", []),
        (",,", []),
    ],
)
def test_values_stand_between_commas(run, typed, cells):
    assert run("campaign_text.js", "it.cellsOf(value)", typed) == cells


def test_numbers_are_found_by_their_order_and_their_place(run):
    numbers = [2, 3, 5, 8, 13]
    found = run(
        "order.js",
        """(() => {
            const order = Object.assign(new it.Order(value), {columns: 2});
            const found = [order.find((n) => n > 3, 0, 5), order.find((n) => n > 20, 0, 5)];
            return [order.size, order.rows, order.rank(5), order.rank(6), order.has(8),
                    order.has(9), order.some(3, 9), order.number(1, 1), order.number(2, 1),
                    order.place(13), order.place(4), ...found];
        })()""",
        numbers,
    )
    assert found == [
        5,
        3,
        2,
        3,
        True,
        False,
        [8, 13],
        8,
        -1,
        {"row": 2, "column": 0},
        None,
        5,
        None,
    ]
