"""Programs beside which the farm is measured, and a cluster to measure it on."""
