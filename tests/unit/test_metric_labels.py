"""Labels that are short, harmless and few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from farm.api.metrics.labels import Few, FewTogether, Models, model_label, plain


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("seedling", "seedling@1f0c93ab"),
        ("/home/alice/secret/sdxl-turbo/", "sdxl-turbo@1f0c93ab"),
        ("C:\\models\\flux", "flux@1f0c93ab"),
        ("stabilityai/sdxl@4f2e", "sdxl@1f0c93ab"),
        ("/home/me@work/mine.safetensors", "mine@1f0c93ab"),
        ('a"b\n{c}', "a_b__c_@1f0c93ab"),
        ("/", "model@1f0c93ab"),
    ],
)
def test_a_model_is_named_by_its_name_and_digest(name, label):
    assert model_label(name, "1f0c93ab" + "0" * 56) == label


def test_a_model_under_two_names_is_one():
    models = Models()
    assert models("seedling", "d1") == models("/home/me/copy", "d1") == "seedling@d1"
    assert models("seedling", "d2") == "seedling@d2"


def test_beyond_the_first_few_names_are_other():
    few = Few(2)
    assert [few(name) for name in ("a", "b", "c", "a", None)] == ["a", "b", "other", "a", "other"]
    models = Models(1)
    assert [models(name, name) for name in ("a", "b", "a")] == ["a@a", "other", "a@a"]


def test_beyond_the_first_few_combinations_the_first_label_is_other():
    few = FewTogether(2)
    asked = [("p", "m"), ("p", "n"), ("q", "m"), ("p", "m")]
    assert [few(labels) for labels in asked] == [
        ("p", "m"), ("p", "n"), ("other", "m"), ("p", "m"),
    ]  # fmt: skip


@given(st.text())
def test_any_text_becomes_a_label_that_a_page_can_have(text):
    registry = CollectorRegistry()
    Gauge("g", "A gauge.", ["name"], registry=registry).labels(plain(text)).set(1)
    line = generate_latest(registry).decode().splitlines()[-1]
    assert line == f'g{{name="{plain(text)}"}} 1.0'
    assert len(plain(text)) <= 60
