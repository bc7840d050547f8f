"""Painting with torch and diffusers. No Ray here."""
