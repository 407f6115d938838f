"""Healer answers colorectal-cancer screening questions from H&E tiles. Research use only."""

__version__ = "0.1.0"
