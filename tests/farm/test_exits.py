"""How commands end, what their help says, and errors as JSON."""

import json
import shlex
import sys

import pytest

from farm.cli import main, whole
from farm.commands.exits import ExitCode, error_json, exit_code_of, worst
from farm.commands.help import EXAMPLES, GROUPS, epilog_of, group_of
from farm.documents.document import DocumentError, Problem
from storage import errors
from storage.errors import (
    AlreadyThere,
    Conflict,
    DatabaseAway,
    DatabaseError,
    NotAllowed,
    NotFound,
    OutputsError,
    RequestError,
    Unauthenticated,
    Unreachable,
    WorkError,
)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["farm", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RequestError("x"), 2),
        (DocumentError([Problem(("seeds",), "x")]), 2),
        (AlreadyThere("x"), 3),
        (Conflict("x"), 3),
        (NotFound("x"), 4),
        (NotAllowed("x"), 5),
        (Unauthenticated("x"), 5),
        (Unreachable("x"), 6),
        (WorkError("x", code=DatabaseAway.code), 6),
        (DatabaseAway("x"), 6),
        (DatabaseError("x"), 2),
        (WorkError("x"), 1),
        (OutputsError("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert exit_code_of(error) == code
    assert error_json(error)["exit_code"] == code


def test_every_error_of_the_tree_has_an_exit_code_that_is_described():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 10
    for kind in kinds:
        assert exit_code_of(kind("x")) in set(ExitCode) - {ExitCode.FINE}


def test_several_orders_end_with_the_worst_of_their_codes():
    assert worst([]) == 0
    assert worst([ExitCode.FINE, ExitCode.NOT_FOUND, ExitCode.CONFLICT]) == 4


def test_an_error_as_json_is_one_object_on_standard_error(command):
    code, out, err = command("status", "nothing", "--json")
    assert (code, out) == (4, "")
    told = json.loads(err.splitlines()[-1])
    assert set(told) == {"code", "detail", "problems", "exit_code"}
    assert told["exit_code"] == 4
    assert "nothing" in told["detail"]


def test_a_wrong_file_as_json_names_each_place(command, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("name: c\nmodel: seedling\nprompt: a mug\nseeds: [1]\ncolour: red\n")
    code, _, err = command("submit", "--dry-run", "--json", str(file))
    told = json.loads(err.splitlines()[-1])
    assert code == told["exit_code"] == 2
    assert told["problems"][0]["path"] == ["colour"]


@pytest.mark.parametrize("arguments", [("lst", "--json"), ("list", "--jsn", "--json")])
def test_words_that_no_command_has_are_an_error_as_json_too(command, arguments):
    code, _, err = command(*arguments)
    told = json.loads(err)
    assert (code, told["code"]) == (2, "usage")


def test_help_is_asked_for_with_one_letter_too(command):
    for arguments in (["-h"], ["list", "-h"], ["brands", "-h"], ["brands", "add", "-h"]):
        code, out, _ = command(*arguments)
        assert code == 0
        assert "Usage: " in out


def test_the_version_is_shown(command):
    code, out, _ = command("--version")
    assert code == 0
    assert out.startswith("seedbed ")


def test_every_command_stands_in_a_group():
    named = {name for names in GROUPS.values() for name in names.split()}
    assert set(whole().commands) <= named
    assert group_of("list") == "Campaigns"


def test_help_ends_with_examples_and_exit_codes(command):
    _, out, _ = command("retry", "-h")
    flat = " ".join(out.split())
    assert "Examples: farm retry spring --failed" in flat
    assert "4 not found" in flat
    assert "0 identical" in epilog_of("reproduce")


@pytest.mark.parametrize("example", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_can_be_read(example):
    example = example.replace("$(openssl rand -hex 32)", "x").partition(" < ")[0]
    words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
    words = words[words.index("farm") + 1 :]
    group = whole()
    command = group.commands[words[0]]
    while hasattr(command, "commands"):
        command = command.commands[words[1]]
        words = words[1:]
    with command.make_context(words[0], words[1:]) as context:
        assert context.params
