import re
from html.parser import HTMLParser

import pytest

from farm.client.gallery import write_pages
from farm.service.views import CampaignStatus, RenderCounts
from tests.unit.test_where import line


def head(queued=0, name="spring"):
    counts = dict.fromkeys(RenderCounts.model_fields, 0) | {"queued": queued}
    rest = dict.fromkeys(CampaignStatus.model_fields) | {"campaign": name, "project": name}
    return CampaignStatus.model_construct(**rest | {"renders": RenderCounts(**counts)})


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>&\u202e'


def pages(lines, campaign=None, links=("manifest.jsonl",)):
    written = {}
    names = write_pages(iter(lines), len(lines), campaign or head(), links, written.__setitem__)
    assert list(written) == names
    return {name: data.decode() for name, data in written.items()}


def painted(number, coordinates, **more):
    return {
        **line(number, coordinates),
        "prompt": "a mug",
        "negative": "",
        "detail": None,
        "path": f"final/s/{number}.png",
        "preview_paths": [],
        "size_paths": [],
        **more,
    }


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def test_every_render_is_shown_with_its_picture_coordinates_seed_and_state():
    failed = painted(
        1, {"product": "lamp"}, path=None, state="failed", reason="unknown", detail="boom & bust"
    )
    (page,) = pages(
        [painted(0, {"product": "mug", "style": {"look": "bright"}}), failed], head(queued=3)
    ).values()
    seen = Parsed(page)
    (image,) = seen.all("img")
    assert (image["src"], image["width"], image["loading"]) == ("./final/s/0.png", "64", "lazy")
    assert image["alt"] == "Render 0: product mug, look bright"
    for words in (
        "product",
        "mug",
        "look",
        "bright",
        "seed",
        "done",
        "failed",
        "boom & bust",
        "3 renders of the campaign had not ended",
    ):
        assert words in seen.text
    assert [a["href"] for a in seen.all("a")] == ["./manifest.jsonl", "./final/s/0.png"]


def test_whatever_a_campaign_holds_is_text():
    evil = painted(
        0,
        {EVIL: EVIL, "style": {"x": EVIL}},
        prompt=EVIL,
        negative=EVIL,
        path="a b/#1?%41&'\".png",
    )
    evil |= {"state": EVIL}
    failed = painted(1, {"product": EVIL}, path=None, detail=EVIL)
    page = pages([evil, failed], head(name=EVIL))["index.html"]
    plain = pages(
        [
            painted(0, {"p": "x", "style": {"x": "x"}}, negative="x"),
            painted(1, {"product": "x"}, path=None, detail="x"),
        ]
    )
    # The same elements, whatever they say.
    assert [tag for tag, _ in Parsed(page).tags] == [
        tag for tag, _ in Parsed(plain["index.html"]).tags
    ]
    assert not Parsed(page).all("script")
    assert Parsed(page).all("img")[0]["src"] == "./a%20b/%231%3F%2541%26%27%22.png"


def test_the_page_asks_nobody_for_anything():
    page = pages([painted(0, {"product": "mug"})])["index.html"]
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in Parsed(page).all("meta")[1]["content"]
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"@import|url\(", page)


def test_very_many_renders_have_several_pages(monkeypatch):
    monkeypatch.setattr("farm.client.gallery.RENDERS_PER_PAGE", 2)
    found = pages([painted(k, {"product": "mug"}) for k in range(5)])
    assert list(found) == ["index.html", "index-2.html", "index-3.html"]
    assert [len(Parsed(page).all("article")) for page in found.values()] == [2, 2, 1]
    assert [a["href"] for a in Parsed(found["index-2.html"]).all("a")][1:3] == [
        "./index.html",
        "./index-3.html",
    ]
    assert len(pages([])) == 1


@pytest.mark.parametrize(
    ("path", "shown"), [("s/1.jxl", "./s/1.small.webp"), ("s/1.webp", "./s/1.webp")]
)
def test_a_format_that_browsers_do_not_show_is_shown_small(path, shown):
    seen = Parsed(pages([painted(0, {"product": "mug"}, path=path)])["index.html"])
    assert seen.all("img")[0]["src"] == shown
    assert seen.all("a")[-1]["href"] == f"./{path}"


def test_the_files_in_other_sizes_are_linked_and_named_by_their_size():
    sizes = ["s/1.1200x628.png", "s/1.1080x1080.png"]
    page = pages([painted(0, {"product": "mug"}, size_paths=sizes)])["index.html"]
    for path in sizes:
        assert f'<a href="./{path}">{path.split(".")[1]}</a>' in page
