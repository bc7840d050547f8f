"""The HTTP API: routes, access checks, metrics."""
