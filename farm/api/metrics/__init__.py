"""The farm's Prometheus metrics.

Three files have all series: `attempts` counts what this process's own dispatcher has settled,
`farm_wide` shows the farm as the job database has it, and `process` shows this process. No label
is ever an id.
"""
