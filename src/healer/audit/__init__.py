"""The optional record of every answer: append-only, hash-chained, committed before the answer is
sent.

Knows no HTTP. Its libraries (`healer[audit]`) are imported only where HEALER_AUDIT is set.
"""
