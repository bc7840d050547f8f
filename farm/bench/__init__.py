"""Measurements: each prints one JSON object of figures, with whatever it was compared to in the
same run.
"""
