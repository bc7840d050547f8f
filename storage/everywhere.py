"""How a role in all projects is written down."""

EVERYWHERE = "*"
"""In the place of a project: all of them, those that are still to come too."""
