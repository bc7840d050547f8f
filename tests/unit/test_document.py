import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.document import parse_document, read_document
from storage.errors import RequestError

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- a\n- b\n", 1, "mapping"),
        ("just text", 1, "mapping"),
        ("", 1, "mapping"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "tags"),
        ("a: 1\nb: !mine x\n", 2, "tags"),
        (BOMB, 1, "anchors"),
        ("a: 1\nb: *gone\n", 2, "anchors"),
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: [1, 2\n", 2, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: .nan\n", 1, "finite"),
        ("a: 16:9\n", 1, "plainly"),
        ("a: 010\n", 1, "plainly"),
        ("a: 1_000\n", 1, "plainly"),
        ("a: 0xff\n", 1, "plainly"),
        ("a:\n  b: 2026-01-01\n", 2, "quotes"),
        ("? [a, b]\n: 1\n", 1, "plain word"),
        ("a: " + "[" * 500 + "]" * 500, 1, "nested"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_with_its_line(text, line, words):
    with pytest.raises(RequestError, match=words) as error:
        parse_document(text, "file.yaml")
    assert str(error.value).startswith(f"file.yaml:{line}: ")


def test_lines_are_remembered_for_nested_parts():
    document = parse_document("name: x\nvary:\n  color:\n    - red\n    - blue\n", "f")
    assert document.line_of(("vary", "color", 1)) == 5
    assert document.line_of(("vary", "color", 1, "deeper")) == 5
    assert document.line_of(("name",)) == 1


def test_json_is_read_too():
    assert parse_document('{"name": "x", "seeds": [1, 2]}', "f").data == {"name": "x", "seeds": [1, 2]}


@given(st.text(max_size=200))
def test_hostile_text_gives_data_or_a_sentence(text):
    sentence = "f: fine"
    try:
        parse_document(text, "f")
    except RequestError as error:
        sentence = str(error)
    assert sentence.startswith("f:")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name: \xe9"])
def test_a_file_that_is_not_utf8_is_named(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(RequestError, match="UTF-8"):
        read_document(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match="no such file"):
        read_document(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ('{"a": 1, "a": 2}', "twice"), ('{"a": NaN}', "finite"), ("[1]", "an object"), ("[" * 100_000, "nested too deep")],
)
def test_bad_json_is_a_sentence(text, words):
    with pytest.raises(RequestError, match=words):
        parse_document(text, "c.json")


def test_json_is_read_as_json():
    assert parse_document('{"a": 1e1, "b": "\\ud83d\\ude00"}', "c.json").data == {"a": 10.0, "b": "\U0001f600"}
