"""The Python client, and what commands and notebooks do with it."""
