"""What a project has already is copied, not painted, with everything real."""

import pytest

pytestmark = pytest.mark.cluster
SMALL = {"settings": {"steps": 2}, "seeds": {"count": 1}, "previews": {"every": 1}}
VARY = {"product": ["mug", "bottle"], "color": ["red", "blue"]}


def by_digest(farm, name):
    return {line["digest"]: line for line in farm.manifest(name)}


def test_a_second_campaign_is_copied_and_a_fresh_one_painted(farm):
    process = farm.start("up", "--port", "0", FARM_WORKERS="1")
    farm.wait_until((farm.home / "farm.json").is_file, process)
    first_file = farm.file("first", vary=VARY, **SMALL)
    farm.run("submit", "--wait", first_file)
    first = by_digest(farm, "first")
    # The same recipes elsewhere: axes in another order.
    farm.run("submit", "--wait", farm.file("second", vary=dict(reversed(VARY.items())), **SMALL))
    second = by_digest(farm, "second")
    assert first.keys() == second.keys()
    for digest, line in second.items():
        assert (line["reason"], line["pixels"]) == ("copied", first[digest]["pixels"])
        assert (farm.home / "outputs" / line["key"]).read_bytes() == (
            farm.home / "outputs" / first[digest]["key"]
        ).read_bytes()
        assert all((farm.home / "outputs" / key).is_file() for key in line["previews"])
    assert sum(len(facts["batch_s"]) for facts in farm.facts("second")) == 0
    assert sum(facts["copied"] for facts in farm.facts("second")) == len(second) == 4

    # Of one that is there already, --fresh paints all of it again; without it, nothing happens.
    before = farm.row("first").id
    farm.run("submit", "--wait", first_file)
    assert farm.row("first").id == before
    farm.run("submit", "--wait", "--fresh", first_file)
    assert farm.row("first").id != before
    assert {
        (line["reason"], line["digest"], line["pixels"]) for line in farm.manifest("first")
    } == {("painted", digest, line["pixels"]) for digest, line in first.items()}
