"""The farm's own decisions on a virtual clock."""
