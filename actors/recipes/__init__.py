"""Recipes, jobs and their results, as plain values. No torch and no Ray here."""
