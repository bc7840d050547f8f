"""Grafana dashboards, built by code and kept as JSON beside it."""
