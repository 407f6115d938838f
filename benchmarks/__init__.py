"""Rivals that `healer bench` measures beside Healer's engines. Not part of the package.

Each is optional: where its library is missing, it is left out with the reason.
"""
