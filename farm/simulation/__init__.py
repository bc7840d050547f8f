"""The same decisions on a virtual clock."""
