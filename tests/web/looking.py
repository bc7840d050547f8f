"""Looking at pages as a person with a browser does."""

import itertools
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

CHROMIUM = "chromium"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_WATCH_POLICY = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Looking:
    """Pages of one farm in one browser, and what went wrong in them."""

    ARGUMENTS = (
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--mute-audio",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    )

    def __init__(self, browser, url):
        self._browser = browser
        self._contexts = []
        self._pages = []
        self.url = url
        self.troubles = []
        self.requests = []

    def open(self, path="/", *, width=1280, height=800, scheme="light", **options):
        """A page of a new browser profile, once it has loaded."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        self._contexts.append(context)
        context.add_init_script(_WATCH_POLICY)
        return self.another(context, path)

    def another(self, context, path="/"):
        """One more page of a profile."""
        page = context.new_page()
        page.set_default_timeout(60_000)
        self._pages.append(page)
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", self._asked)
        page.goto(self.url + path)
        return page

    def _heard(self, kind, text):
        if kind in ("error", "warning"):
            self.troubles.append(f"{kind}: {text}")

    def _asked(self, request):
        self.requests.append(request.url)
        host = urlsplit(request.url).netloc
        if host and host != urlsplit(self.url).netloc:
            self.troubles.append(f"a request to {request.url}")

    def pass_over(self, words):
        """Forgets the troubles that a test expects, by words that are in them."""
        self.troubles = [one for one in self.troubles if words not in one]

    def close(self):
        for page in self._pages:
            if not page.is_closed():
                with suppress(Exception):  # it may show an error of its own
                    self.troubles += page.evaluate("window.violations ?? []")
        for context in self._contexts:
            context.close()


def axe_problems(page):
    """What axe-core finds against WCAG 2.2 AA on a page, with the elements that have it."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa",
            "wcag22aa", "best-practice"]})"""
    )
    return [
        f"{problem['id']}: {node['html'][:160]}"
        for problem in found["violations"]
        for node in problem["nodes"]
    ]


def assert_everybody_can_use(page, ready=lambda _page: None, widths=(360, 2560)):
    """In narrow and in wide windows, light and dark: a page stands within its window, and axe-core
    finds nothing. `ready` waits for what the page loads by itself.
    """
    for width, scheme in itertools.product(widths, ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.reload()
        ready(page)
        assert not overflows(page), (page.url, width, scheme)
        assert axe_problems(page) == [], (page.url, width, scheme)


def overflows(page):
    """Whether a page is wider than its window."""
    return page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )


class Held:
    """Requests of a page that do not get to the farm until a test lets them."""

    def __init__(self, page, pattern):
        self._page = page
        self._routes = []
        page.route(pattern, lambda route: self._routes.append(route))  # noqa: PLW0108 - no method is taken

    def take(self, count=1):
        """The requests, in their order, once there are as many."""
        while len(self._routes) < count:  # they are handed over after their events
            self._page.wait_for_timeout(10)
        taken, self._routes = self._routes, []
        return taken
