"""The cookie of a browser that has logged in, and the paths that are open without one."""

from fastapi import Request

COOKIE = "farm_login"
LOGIN_PATH = "/login"
OPENID_PATH = "/login/openid"
OPENID_BACK_PATH = f"{OPENID_PATH}/back"
LOGOUT_PATH = "/logout"
SHARE_PATH = "/share"
_OPEN = (LOGIN_PATH, OPENID_PATH, OPENID_BACK_PATH, SHARE_PATH, "/favicon.ico")


def is_open(path: str) -> bool:
    """Whether anybody may have a path of the pages: logging in, and the files that it needs."""
    return path in _OPEN or path.startswith("/static/")


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer, and no program reads it."""
    path = request.url.path
    is_page = not path.startswith("/api/") and path != "/metrics"
    return is_page and request.method in ("GET", "HEAD")
