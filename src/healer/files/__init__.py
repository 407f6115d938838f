"""Files as people keep them: folders walked, names in any spelling, lists in CSV."""
