import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.template import Template, TemplateError


@pytest.mark.parametrize(
    "text",
    [
        "{x.__class__}",
        "{x[0]}",
        "{0}",
        "{}",
        "{x!r}",
        "{x:>9}",
        "{x y}",
        "{",
        "}",
        "a {b",
        "{{}",
        "{x:{y}}",
    ],
)
def test_anything_but_plain_names_is_refused(text):
    with pytest.raises(TemplateError):
        Template(text)


def test_fields_are_filled_and_doubled_braces_are_text():
    template = Template("a {color} {product} {{not this}}")
    assert template.fields == {"color", "product"}
    assert template.fill({"color": "{red}", "product": "mug"}) == "a {red} mug {not this}"


@given(st.text())
def test_values_are_never_read_as_templates(value):
    assert Template("<{x}>").fill({"x": value}) == f"<{value}>"
