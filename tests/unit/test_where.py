import pytest

from farm.results.where import read_conditions, resolve
from storage.errors import RequestError


def line(number, coordinates, seed=1, **settings):
    return {
        "number": number,
        "state": "done",
        "reason": "painted",
        "review": None,
        "shot": f"s{number}",
        "campaign": "spring",
        "coordinates": coordinates,
        "seed": seed,
        "settings": {"steps": 20, "guidance": 3.0, "size": "64x64", **settings},
    }


LINES = [
    line(0, {"product": "mug", "style": {"look": "bright", "lens": 35}}, seed=11),
    line(1, {"product": "mug", "style": {"look": "dark", "lens": 50.0}}, seed=12),
    line(2, {"product": "lamp", "style": {"look": "bright", "lens": 35}}, guidance=5),
    line(3, {"product": "1.10", "style": {"look": "a=b", "lens": 35}}, guidance=None),
    line(4, {"product": "1.1", "style": {"look": "", "lens": 35}}),
    line(5, {"product": "+45", "style": {"look": "mug", "lens": 35}}),
]


def chosen(*conditions):
    where = resolve(read_conditions(conditions), LINES)
    return [line["number"] for line in LINES if where.chooses(line)]


@pytest.mark.parametrize(
    ("conditions", "numbers"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["product=mug"], [0, 1]),
        (["product=mug", "product=lamp"], [0, 1, 2]),
        (["product=mug", "look=dark"], [1]),
        (["product=lamp", "look=dark"], []),
        ([" product = mug "], [0, 1]),
        (["lens=50"], [1]),
        (["lens=50.0"], [1]),
        (["lens=5e1"], [1]),
        (["guidance=3"], [0, 1, 4, 5]),
        (["guidance=3.00"], [0, 1, 4, 5]),
        (["guidance=none"], [3]),
        (["size=64x64"], [0, 1, 2, 3, 4, 5]),
        (["seed=11"], [0]),
        (["number=4"], [4]),
        (["state=done"], [0, 1, 2, 3, 4, 5]),
        (["product=1.1"], [4]),  # as it is written, before numbers are compared
        (["product=1.10"], [3]),
        (["product=45"], [5]),
        (["look=a=b"], [3]),
        (["look="], [4]),
    ],
)
def test_conditions_choose(conditions, numbers):
    assert chosen(*conditions) == numbers


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("prodct=mug", "no render has a 'prodct': did you mean 'product'?"),
        ("style=bright", "no render has a 'style'"),
        ("product=mugg", "did you mean 'mug'?"),
        ("product=Mug", "did you mean 'mug'?"),
        ("product=1.100000", None),
        ("guidance=4", "known are 3.0, 5, none"),
        ("seed=1e", "no render that has ended has that seed"),
        ("product=١", "no render that has ended"),
        ("guidance=" + "9" * 5_000, "…"),
        ("guidance=1e999999999", "no render that has ended"),
        ("product", "write NAME=VALUE"),
        ("=mug", "write NAME=VALUE"),
    ],
)
def test_what_chooses_nothing_is_refused_with_what_is_near(condition, words):
    if words is None:
        assert chosen(condition) == [3, 4]
        return
    with pytest.raises(RequestError) as error:
        chosen(condition)
    assert words in str(error.value)
    assert len(str(error.value)) < 400
