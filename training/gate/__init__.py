"""Fits and measures the input gate: `python -m training.gate fit|measure`."""
