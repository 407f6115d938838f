"""Answers for whole archives: hundreds of thousands of tiles, one machine or a Ray cluster.

    listing   which tiles, and how a worker reads them
    looker    the worker: a block of tiles in, a block of answers out
    cluster   Ray, started here or found elsewhere, and how many workers it bears
    parts     answers on their way to one file: kept by block, merged at the end
    run       the way from one to the other

Ray and Arrow (`healer[ray]`) are imported nowhere else.
"""
