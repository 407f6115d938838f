"""Seeing inside: what a running service tells of itself, in numbers and in traces."""
