"""The slides of a folder, as a service offers them: listed, read one after another, shown.

Knows no HTTP. Imported only where HEALER_SLIDES is set.
"""
