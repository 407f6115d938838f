"""The queue in front of the model: bounded, first come first served, batched, cancellable.

job       a tile that somebody waits for, or a stream of many and their reducer; deadlines
queue     which jobs wait; how many may; memory for images
worker    one thread that dequeues jobs and runs a model
pool      all workers; notices one that hangs

Knows no HTTP and no model library. The queue lives on the event loop, a worker's work in a thread.
"""
