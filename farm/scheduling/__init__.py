"""Decisions: who works on what, what follows from an attempt, and how large the fleet is. Pure."""
