"""Scripts and styles as files of the package."""

import gzip

from farm.web.static_files import StaticFile, StaticFiles, kind_of, static_files


def test_only_kinds_that_are_known_are_served():
    assert kind_of("page.js").startswith("text/javascript")
    assert kind_of("base.css").startswith("text/css")
    assert kind_of("icon.svg") == "image/svg+xml"
    assert kind_of("notes.txt") is None
    assert all(kind_of(name) for name in static_files().files)


def test_what_is_compressed_is_the_same_file():
    for file in static_files().files.values():
        if file.zipped is not None:
            assert gzip.decompress(file.zipped) == file.data
            assert len(file.zipped) < len(file.data)


def test_the_size_of_all_is_what_a_browser_loads():
    large, small = (
        StaticFile("text/css", b"x" * 900, b"x" * 40),
        StaticFile("text/css", b"y", None),
    )
    both = StaticFiles("d", {"large.css": large, "small.css": small})
    assert both.zipped_bytes == 41
    assert both.url("small.css") == "/static/d/small.css"
    assert static_files() is static_files()
