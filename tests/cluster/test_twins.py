"""What a project has already is copied, not painted, with everything real."""

import pytest

pytestmark = pytest.mark.cluster
SMALL = {"settings": {"steps": 2}, "seeds": {"count": 1}}


def test_a_second_campaign_is_copied_and_a_fresh_one_painted(farm):
    with_previews = {**SMALL, "previews": {"every": 1}}
    farm.run("run", farm.file("first", **with_previews))
    # The same recipes elsewhere: axes in another order.
    vary = {"color": ["red", "blue", "yellow"], "product": ["mug", "bottle", "lamp", "vase"]}
    farm.run("run", farm.file("second", vary=vary, **with_previews))
    first, second = ({line["digest"]: line for line in farm.manifest(name)} for name in ("first", "second"))
    assert first.keys() == second.keys()
    for digest, line in second.items():
        assert (line["reason"], line["pixels"]) == ("copied", first[digest]["pixels"])
        assert (farm.home / "outputs" / line["key"]).read_bytes() == (farm.home / "outputs" / first[digest]["key"]).read_bytes()
        assert all((farm.home / "outputs" / key).is_file() for key in line["previews"])
    assert sum(len(facts["batch_s"]) for facts in farm.facts("second")) == 0
    assert sum(facts["copied"] for facts in farm.facts("second")) == 12

    farm.run("run", "--fresh", farm.file("third", vary=vary, **with_previews))
    assert {line["reason"] for line in farm.manifest("third")} == {"painted"}
    assert {line["digest"]: line["pixels"] for line in farm.manifest("third")} == {d: line["pixels"] for d, line in first.items()}

    # Of one that is there already, --fresh paints all of it again; without it, nothing happens.
    before = farm.row("third").id
    farm.run("run", farm.file("third", vary=vary, **with_previews))
    assert farm.row("third").id == before
    farm.run("run", "--fresh", farm.file("third", vary=vary, **with_previews))
    assert farm.row("third").id != before
    assert {line["reason"] for line in farm.manifest("third")} == {"painted"}
