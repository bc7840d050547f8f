import pytest

from farm.client.naming import Naming, collision
from storage.errors import RequestError
from tests.unit.test_where import line

LINE = line(7, {"product": "mug", "place": "Zürich, am See"}, seed=11)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{product}_{seed}", "mug_11.png"),
        ("{product}/{seed}", "mug/11.png"),
        ("{place}-{number}", "Zürich, am See-7.png"),
        ("{place:slug}-{number}", "zürich-am-see-7.png"),
        ("{product}.png", "mug.png"),
        ("{guidance}_{size}_{steps}", "3.0_64x64_20.png"),
        ("{{{product}}}", "{mug}.png"),
        ("{campaign}/{shot}/{seed}", "spring/s7/11.png"),
    ],
)
def test_a_template_names_a_picture(template, path):
    assert Naming(template).path(LINE, "png") == path


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("mug", "the same name"),
        ("", "the same name"),
        ("../{seed}", "'..' is no name"),
        ("{product}/../{seed}", "leads out of the folder"),
        ("/tmp/{seed}", "leads out of the folder"),
        ("{product}/", "'' is no name"),
        ("./{seed}", "'.' is no name"),
        ("C:\\{seed}", "it has ':'"),
        ("a\\{seed}", "it has '\\\\'"),
        (".{seed}", "hidden"),
        ("{seed}?", "it has '?'"),
        ("{seed}\0", "U+0000"),
        ("{seed}\u202e", "U+202E"),
        (" {seed}", "space"),
        ("{seed}.", "dot"),
        ("con/{seed}", "device"),
        ("{product", "braces do not match"),
        ("{product}}", "braces do not match"),
        ("{}", "only names like"),
        ("{0}", "only names like"),
        ("{product.__class__}", "only names like"),
        ("{product[0]}", "only names like"),
        ("{product!r}", "only names like"),
        ("{seed:>2000000000}", "only names like"),
    ],
)
def test_a_template_that_no_file_could_be_named_by_is_refused(template, words):
    with pytest.raises(RequestError) as error:
        Naming(template)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("../../etc", "it in small letters"),
        ("..", "'..' is no name"),
        ("a/b", "has '/'"),
        ("a\\b", r"has '\\'"),
        ("C:", "has ':'"),
        ("a\0b", "U+0000"),
        ("a\u200eb", "U+200E"),
        ("", "'' is no name"),
        ("x" * 300, "too long"),
        ("ö" * 128, "too long"),
        ("NUL", "device"),
        (".hidden", "hidden"),
        (" mug", "space"),
    ],
)
def test_values_that_cannot_be_part_of_a_name_are_refused(value, words):
    with pytest.raises(RequestError) as error:
        Naming("{product}/{seed}").path(line(3, {"product": value}), "png")
    assert words in str(error.value)
    assert len(str(error.value)) < 400


def test_fields_that_no_render_has_are_refused_with_what_is_near():
    Naming("{product}_{seed}").check_fields([LINE])
    with pytest.raises(RequestError, match="no render has a 'prduct': did you mean 'product'"):
        Naming("{prduct}_{seed}").check_fields([LINE])


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([(0, ["a.png"]), (1, ["b.png"])], None),
        ([(0, ["a.png", "a.png"])], None),
        ([(0, ["a.png"]), (4, ["a.png"])], "the renders 0 and 4 would both be called 'a.png'"),
        ([(0, ["Mug.png"]), (1, ["mug.png"])], "differ in case alone"),
        ([(0, ["Straße.png"]), (1, ["STRASSE.png"])], "both be called"),
        ([(0, ["\u00e9.png"]), (1, ["e\u0301.png"])], "both be called"),
        ([(0, ["a.webp", "a.step002.webp"]), (1, ["a.step002.webp"])], "the renders 0 and 1"),
        ([(0, ["sheet.png"])], "a file of the export itself"),
        ([(0, ["Manifest.jsonl/1.png"])], "a file of the export itself"),
    ],
)
def test_two_renders_of_one_name_are_found(paths, words):
    found = collision(paths, ["sheet.png", "manifest.jsonl"])
    assert found is None if words is None else words in found
