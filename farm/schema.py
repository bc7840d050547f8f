"""Writes the description of the API, docs/openapi.json: `python -m farm.schema FILE`."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from farm.app import open_app
from farm.config import read_settings


def schema_text() -> str:
    """The description that a farm serves, as it is committed."""
    with (
        TemporaryDirectory(prefix="farm-schema-") as folder,
        open_app(read_settings(home=Path(folder))) as app,
    ):
        return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
