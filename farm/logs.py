"""Logging: an event a line, a sentence first, then `action=` and the ids it is about."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_MEGABYTES = 10 * 1024 * 1024


def log_to_file(path: Path) -> None:
    """Send every log line of this process to one rotating file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=_MEGABYTES, backupCount=3, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # else whoever follows a campaign leaves two lines a second
