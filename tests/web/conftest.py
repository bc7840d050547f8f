"""A farm without a dispatcher that serves pages, and a real Chromium to look at them."""

import os
import shutil
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import sync_playwright

from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from tests.web.looking import CHROMIUM, Looking


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@contextmanager
def served(settings):
    with open_app(settings) as app, serve(app, 0) as url:
        yield url


@pytest.fixture
def url(settings):
    """The address of a farm without campaigns that asks for no token."""
    with served(settings) as address:
        yield address


@pytest.fixture
def client(url):
    with Client(url) as made:
        yield made


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url) as made:
        yield made


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium. Where the machine has none: a skip on a laptop, a failure in CI."""
    path = shutil.which(CHROMIUM)
    if path is None:
        words = "no chromium: apt-get install chromium"
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=list(Looking.ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def look(chromium, url):
    """Opens pages, and says at the end what a person with open developer tools would see: no
    error, no report of the content security policy, nothing from another host.
    """
    looking = Looking(chromium, url)
    yield looking
    looking.close()
    assert looking.troubles == []
