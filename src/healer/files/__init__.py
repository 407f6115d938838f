"""Files as people keep them: folders walked, names in any spelling, lists in CSV."""

from healer.files.leftout import LeftOut, Reason
from healer.files.walk import Walk, walk, walk_all

__all__ = ["LeftOut", "Reason", "Walk", "walk", "walk_all"]
