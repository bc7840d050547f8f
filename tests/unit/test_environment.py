"""Machines that are not as usual: long or closed folders for temporary files, users without a
name, terminals without letters.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from farm.config import read_settings
from farm.dispatch import ray_folder as places
from farm.dispatch.ray_folder import LONGEST, ray_folder
from storage.errors import RequestError, WorkError


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Sets the folder for temporary files, as TMPDIR does when Python starts."""

    def put(path):
        path.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(path))
        return path

    return put


def test_rays_folder_is_short_wherever_temporary_files_go(temporary, tmp_path):
    long = temporary(tmp_path / ("long-" * 20))
    with ray_folder(tmp_path / "home") as folder:
        assert not folder.startswith(str(long))
        assert (
            len(
                os.fsencode(
                    f"{folder}/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
                )
            )
            <= 107
        )
        Path(folder, "session").mkdir()
    assert not Path(folder).exists()


def test_rays_folder_is_where_temporary_files_go_if_that_is_short(tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="é") as short:
        assert len(os.fsencode(short)) <= LONGEST
        monkeypatch.setattr(tempfile, "tempdir", short)
        with ray_folder(tmp_path) as folder:
            assert Path(folder).parent == Path(short)


def test_no_folder_for_rays_sockets_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "_places", lambda _home: ["/proc", str(tmp_path / ("long-" * 20))])
    with pytest.raises(WorkError, match=f"at most {LONGEST} bytes.*TMPDIR"), ray_folder(tmp_path):
        raise AssertionError("there is none")


def farm(*arguments, **environment):
    """Run a command with an environment that has nothing but what is given."""
    done = subprocess.run(
        [sys.executable, "-m", "farm.cli", *arguments],
        capture_output=True,
        env={"PATH": os.environ["PATH"], **environment},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def test_a_home_that_is_not_ascii_is_no_trouble_in_a_locale_that_is(tmp_path):
    code, out, error = farm(
        "sheet", "ö", FARM_HOME=str(tmp_path / "hömé-赤"), LC_ALL="C", PYTHONIOENCODING="ascii"
    )
    assert (code, out) == (2, b"")
    assert r"\xf6" in error
    assert (tmp_path / "hömé-赤/farm.db").exists()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("hömé", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        (os.fsdecode(b"h\xff"), {"LC_ALL": "C.UTF-8"}),
    ],
)
def test_a_name_that_is_no_text_here_is_a_sentence(tmp_path, name, more):
    code, _, error = farm("list", FARM_HOME=f"{tmp_path}/{name}", **more)
    assert code == 2
    assert "LC_ALL=C.UTF-8" in error.replace("\n", " ")
    assert "Traceback" not in error


def test_a_user_without_a_home_is_told_to_name_one(monkeypatch):
    def nobody(*_args):
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(RequestError, match="set FARM_HOME"):
        read_settings()
    with pytest.raises(RequestError, match="set FARM_HOME"):
        read_settings(home="~/farm")
    assert read_settings(home="/farm").home == Path("/farm")
