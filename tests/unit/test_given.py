"""Keys that are given beside a campaign's file."""

import pytest

from farm.campaign.given import with_given
from farm.campaign.loading import campaign_of, load_campaign
from farm.documents.document import DocumentError, parse_document, read_piped
from farm.documents.text_file import MAX_BYTES
from storage.errors import RequestError

TEXT = """\
name: spring
model: seedling
prompt: a {color} mug
seeds: [1, 2]
vary:
  color: [red, blue]
settings: {steps: 4, size: 64x64}
"""


@pytest.fixture
def document():
    return parse_document(TEXT, "spring.yaml")


def wrong(document, *given):
    with pytest.raises(DocumentError) as raised:
        with_given(document, given)
    return str(raised.value)


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ("priority=70", ["priority"], 70),
        ("name=summer", ["name"], "summer"),
        ("budget.money=2.5", ["budget", "money"], 2.5),
        ("settings.steps=9", ["settings", "steps"], 9),
        ("vary.color=[green]", ["vary", "color"], ["green"]),
        ("vary.place={a: in a hall}", ["vary", "place"], {"a": "in a hall"}),
        ("budget.gpu_hours=0.5", ["budget", "gpu_hours"], 0.5),
        ("negative=", ["negative"], None),
        ("prompt=a = b", ["prompt"], "a = b"),
    ],
)
def test_a_value_is_read_as_yaml_and_put_at_its_place(document, given, path, value):
    found = with_given(document, [given]).data
    for key in path:
        found = found[key]
    assert found == value


def test_what_is_not_given_stays_and_the_document_is_not_changed(document):
    changed = with_given(document, ["settings.steps=9", "settings.guidance=2"])
    assert changed.data["settings"] == {"steps": 9, "size": "64x64", "guidance": 2}
    assert document.data["settings"] == {"steps": 4, "size": "64x64"}
    assert changed.data["seeds"] == [1, 2]


def test_the_last_of_several_counts(document):
    assert with_given(document, ["priority=1", "priority=2"]).data["priority"] == 2


@pytest.mark.parametrize("given", ["steps", "=3", "a b=3", "settings..steps=3", ".x=1", "1=2"])
def test_words_that_set_nothing_say_how_it_is_written(document, given):
    assert f"--set {given}: write it as key=value" in wrong(document, given)


def test_yaml_that_cannot_be_read_names_the_option_and_no_line(document):
    told = wrong(document, "priority=[1")
    assert told.startswith("--set priority=[1: ")
    assert "spring.yaml" not in told


def test_nothing_is_set_inside_a_value_that_is_no_mapping(document):
    assert "seeds is not a mapping" in wrong(document, "seeds.count=4")


def test_code_in_a_value_is_refused_as_in_a_file(document):
    assert "--set" in wrong(document, "prompt=!!python/object/apply:os.system [id]")
    assert "--set" in wrong(document, "prompt=*nothing")


def test_mistakes_are_said_of_the_option_or_of_the_line(document, tmp_path):
    with pytest.raises(DocumentError) as raised:
        campaign_of(with_given(document, ["settings.steps=0"]), tmp_path)
    assert str(raised.value).startswith("--set settings.steps=0: settings.steps: ")
    broken = parse_document(TEXT.replace("[1, 2]", "[-1]"), "spring.yaml")
    with pytest.raises(DocumentError) as raised:
        campaign_of(with_given(broken, ["priority=7"]), tmp_path)
    assert str(raised.value).startswith("spring.yaml:4: seeds")


def test_a_number_is_the_text_that_was_written(document, tmp_path):
    loaded = campaign_of(with_given(document, ["vary.color=[1.10]"]), tmp_path)
    assert loaded.campaign.model_dump()["vary"]["color"] == ["1.10"]
    twice = with_given(document, ["vary.color=[1.10]", "vary.color=[2.50]"])
    assert campaign_of(twice, tmp_path).campaign.model_dump()["vary"]["color"] == ["2.50"]


def test_a_comment_that_leaves_nothing_is_said(document, tmp_path):
    with pytest.raises(DocumentError, match="--set prompt= #1 mug"):
        campaign_of(with_given(document, ["prompt= #1 mug"]), tmp_path)


def test_a_file_with_keys_given_is_another_campaign(tmp_path):
    path = tmp_path / "spring.yaml"
    path.write_text(TEXT)
    assert load_campaign(path).campaign.name == "spring"
    assert load_campaign(path, ["name=summer"]).campaign.name == "summer"


def test_standard_input_is_read_as_files_are():
    assert read_piped(b"\xef\xbb\xbf" + TEXT.encode()).data["name"] == "spring"
    with pytest.raises(DocumentError, match="<standard input>:2"):
        read_piped(b"name: [")
    with pytest.raises(RequestError, match="<standard input>: the file is not UTF-8"):
        read_piped(b"name: \xff\xfe\xfd")
    with pytest.raises(RequestError, match="larger than 64 MB"):
        read_piped(b"#" * (MAX_BYTES + 1))


def test_a_budget_can_be_set_beside_the_one_of_a_file(document, tmp_path):
    changed = campaign_of(
        with_given(document, ["budget.gpu_hours=1", "budget.money=40"]), tmp_path
    )
    assert (changed.campaign.budget_s, changed.campaign.budget_money) == (3600, 40)
    with pytest.raises(DocumentError, match=r"--set budget\.money=0: budget\.money"):
        campaign_of(with_given(document, ["budget.money=0"]), tmp_path)
