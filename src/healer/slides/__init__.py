"""Whole slides: reading them, answering for them, and the files that say what was read.

Needs the `slides` extra.
"""
