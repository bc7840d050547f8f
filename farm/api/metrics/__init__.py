"""The farm's Prometheus metrics. No label is ever an id.

`attempts` counts what this process's own dispatcher has settled, and `dispatching` shows what that
tells of itself. `farm_wide` and `near` show the farm as the job database has it. `process`,
`requests` and `clocks` show this process.
"""
