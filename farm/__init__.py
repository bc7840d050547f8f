"""The floor that decides: campaign files, policy, the dispatcher, the API and the commands."""

from farm.client import Client

__all__ = ["Client"]
