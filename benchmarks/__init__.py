"""How fast, how large and how steady Healer is, beside other systems: `python -m benchmarks`.

Not part of the package. Systems whose libraries are missing are left out with the reason.
"""
