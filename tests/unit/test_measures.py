"""The measures find what they say they find."""

import subprocess

import pytest

from tests.measures import faults, measure

LONG = "def long():\n" + "    print()\n" * 51
FINE = '''"""A file."""


def fine():
    """Say nothing.

    At length.
    """
    return 1
'''


@pytest.fixture
def measured(tmp_path):
    """Measures a checkout of one file in `farm`, with as much of tests beside it."""

    def measured(code, tests=None):
        (tmp_path / "farm").mkdir(exist_ok=True)
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "farm" / "code.py").write_text(code)
        (tmp_path / "tests" / "test_code.py").write_text(code if tests is None else tests)
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        return measure(tmp_path)

    return measured


def test_a_docstring_does_not_count_as_length(measured):
    found = measured(FINE)
    assert [size.lines for size in found.functions] == [2]
    assert faults(found) == []


def test_a_long_function_is_named_with_its_line(measured):
    (fault, *_) = faults(measured(LONG))
    assert fault == "farm/code.py:1 long has 52 lines; at most 50 are allowed."


def test_code_without_tests_is_told(measured):
    assert faults(measured(FINE, tests="")) == ["Tests have 0.00 of the lines of the code."]


@pytest.mark.parametrize(
    ("comment", "count"),
    [
        ("# Where there is none, nothing is done.", 1),
        ("# Given back, where it is not wanted.", 1),
        ("# The folder where files lie.", 0),
        ("# If there is none, nothing is done.", 0),
    ],
)
def test_where_is_told_from_if(measured, comment, count):
    assert len(measured(comment + "\n" + FINE).where_for_if) == count


@pytest.mark.parametrize(
    ("comment", "count"),
    [
        ("# What is left is given back.", 1),
        ("# The rest is given back.", 0),
        ("# What is it?", 0),
        ("# It says what is left.", 0),
    ],
)
def test_clauses_for_nouns_are_found(measured, comment, count):
    assert len(measured(comment + "\n" + FINE).noun_clauses) == count
