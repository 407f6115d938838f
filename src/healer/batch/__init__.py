"""Predictions for whole archives: hundreds of thousands of tiles, one machine or a Ray cluster.

    listing   which tiles, and how a worker reads them
    parquet   Parquet files of names or pictures
    worker    a block of tiles in, a block of answers out
    cluster   Ray, started here or reached at an address, and its workers
    parts     answers by block, merged into one file at the end
    run       all of it, from a listing to the merged file
    slides    blocks of a slide's tiles, for `healer slide --ray-address`

Ray and Arrow (`healer[ray]`) are imported nowhere else.
"""
