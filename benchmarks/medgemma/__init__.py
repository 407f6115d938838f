"""How fast and how large: a random checkpoint, the machine's ceilings, engines and rivals in turn.

Nothing here is imported while serving.
"""
