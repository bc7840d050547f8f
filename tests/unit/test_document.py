import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.documents.document import parse_document, read_document
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


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("vary:\n\u00a0\u00a0color: [red]\n", 2, r"no-break space \(U\+00A0\)"),
        ("vary:\n\u00a0\u00a0- red\nname: x\n", 2, r"no-break space \(U\+00A0\)"),
        ("prompt:\u00a0red\nname: x\n", 1, r"no-break space \(U\+00A0\)"),
        ("vary:\n\u3000color: [red]\n", 2, r"ideographic space \(U\+3000\)"),
        ("na\u200bme: x\n", 1, r"zero width space \(U\+200B\)"),
        ("a: 1\n\tb: 2\n", 2, r"a tab \(U\+0009\)"),
        ("a: |\n\tx\n", 2, r"a tab \(U\+0009\)"),
        ("name: x\nprompt: Poster: a mug\n", 2, "column 15: a colon and a space"),
        ("prompt: @brand mug\n", 1, "cannot begin with @"),
        ("prompt: *new* mug\n", 1, r"cannot begin with \*"),
        ("prompt: &new mug\n", 1, "put a text in quotes"),
        ("prompt: !new mug\n", 1, "put a text in quotes"),
        ("prompt: {color} mug\n", 1, "ends with }, and more text follows"),
        ("prompt: 'it's a mug'\n", 1, "ends with ', and more text follows"),
        ('name: x\nprompt: "a mug\nseeds: [1]\n', 2, "quote in column 9 is never closed"),
        ('prompt: "a\\mug"\n', 1, r"\\m means nothing"),
        ("vary:\n  color: [red, #ff0000]\n", 3, "'#ff0000]' is a comment"),
        ("name: x\nprompt\nseeds: [1]\n", 2, "no `key: value`"),
        ("a:\n  b: 1\n c: 2\n", 3, "indentation"),
        ("name: x\nprompt: a\0b\n", 2, r"null character \(U\+0000\)"),
    ],
)
def test_yaml_that_people_write_by_mistake_is_told_in_their_words(text, line, words):
    with pytest.raises(RequestError, match=words) as error:
        parse_document(text, "file.yaml")
    assert str(error.value).startswith(f"file.yaml:{line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"a": 1,\n}', 2, r"column 1: there is a comma before }"),
        ("{'a': 1}", 1, "found ': texts and keys stand in double quotes"),
        ("{\u201ca\u201d: 1}", 1, "straight double quotes"),
        ('{"a":\u00a01}', 1, r"found a no-break space \(U\+00A0\)"),
        ('{"a": "x\ty"}', 1, r"found a tab \(U\+0009\): in a text, write \\t"),
        ('{"a": "x\ny"}', 1, r"found a line break \(U\+000A\): in a text, write \\n"),
        ('{"a": "C:\\pics"}', 1, "for a backslash"),
        ("// c\n{}", 1, "no comments"),
        ('{"a": True}', 1, "written true"),
        ('{"a": +45}', 1, "no plus sign"),
        ('{"a": "x', 1, "quote that opens here is never closed"),
        ("", 1, "the file is empty"),
        ('{"a": [1', 1, "ends before it is complete"),
    ],
)
def test_bad_json_names_the_character_and_its_place(text, line, words):
    with pytest.raises(RequestError, match=words) as error:
        parse_document(text, "c.JSON")
    assert str(error.value).startswith(f"c.JSON:{line}: this is not JSON: ")


def test_numbers_are_remembered_as_they_were_written():
    yaml = parse_document("a: [1.10, +45, 5., 2.5e+3, 7, '1.10']\nb: {c: .50}\n", "f.yaml")
    assert yaml.written == {
        ("a", 0): "1.10",
        ("a", 1): "+45",
        ("a", 2): "5.",
        ("a", 3): "2.5e+3",
        ("a", 4): "7",
        ("b", "c"): ".50",
    }
    assert parse_document('{"a": [1.10, -0, 1E2, "1.10"]}', "f.json").written == {
        ("a", 0): "1.10",
        ("a", 1): "-0",
        ("a", 2): "1E2",
    }
    assert parse_document('{"a": [1.10, 3]}', "f.json").data == {"a": [1.1, 3]}


def test_a_comment_is_remembered_if_it_may_be_part_of_the_text():
    text = (
        "a: a mug, #1 bestseller\nb: red # or so\nc: red  # a comment\nd: 'x' #1\ne:\n  - red "
        " #ff0000\n  - #00ff00\nf: | #1\n  x\n"
    )
    assert parse_document(text, "f.yaml").cuts == {
        ("a",): "#1 bestseller",
        ("b",): "# or so",
        ("e", 0): "#ff0000",
        ("e", 1): "#00ff00",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_in_the_encoding_that_its_first_bytes_tell(tmp_path, encoding):
    path = tmp_path / "c.yaml"
    path.write_bytes("name: grün\r\n".encode(encoding))
    assert read_document(path).data == {"name": "grün"}


def test_lines_are_remembered_for_nested_parts():
    document = parse_document("name: x\nvary:\n  color:\n    - red\n    - blue\n", "f")
    assert document.line_of(("vary", "color", 1)) == 5
    assert document.line_of(("vary", "color", 1, "deeper")) == 5
    assert document.line_of(("name",)) == 1


def test_json_is_read_too():
    assert parse_document('{"name": "x", "seeds": [1, 2]}', "f").data == {
        "name": "x",
        "seeds": [1, 2],
    }


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
    [
        ("{", "not JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": NaN}', "finite"),
        ("[1]", "an object"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_bad_json_is_a_sentence(text, words):
    with pytest.raises(RequestError, match=words):
        parse_document(text, "c.json")


def test_lines_of_json_are_remembered_too():
    text = '{"a,}": [1,\n {"b": "x, ]\\"",\n\n "c": [[], {}, ["x"]]}],\n "d": {}, "e":\n 1.50}'
    document = parse_document(text, "f.json")
    assert document.data == json.loads(text)
    assert document.lines == {
        (): 1,
        ("a,}",): 1,
        ("a,}", 0): 1,
        ("a,}", 1): 2,
        ("a,}", 1, "b"): 2,
        ("a,}", 1, "c"): 4,
        ("a,}", 1, "c", 0): 4,
        ("a,}", 1, "c", 1): 4,
        ("a,}", 1, "c", 2): 4,
        ("a,}", 1, "c", 2, 0): 4,
        ("d",): 5,
        ("e",): 5,
    }
    assert document.written == {("a,}", 0): "1", ("e",): "1.50"}


plain_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), plain_json, max_size=4), st.sampled_from([None, 1]))
def test_every_part_of_json_has_its_line(data, indent):
    def paths(value, path):
        yield path
        parts = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        for key, inner in parts:
            yield from paths(inner, (*path, key))

    document = parse_document(json.dumps(data, indent=indent), "f.json")
    assert set(document.lines) == set(paths(data, ()))


def test_json_is_read_as_json():
    assert parse_document('{"a": 1e1, "b": "\\ud83d\\ude00"}', "c.json").data == {
        "a": 10.0,
        "b": "\U0001f600",
    }
