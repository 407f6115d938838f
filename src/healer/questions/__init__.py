"""The questions Healer can ask of a tile: wording, label set, class head and sentences of each."""
