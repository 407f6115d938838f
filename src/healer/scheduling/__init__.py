"""The line in front of the model: bounded, first come first served, batched, cancellable.

ticket     one tile's place in line, and what is heard of it
line       who waits; how many may
deadline   until when an answer is worth having
budget     memory for pictures
lane       one thread that takes batches from the line and asks a model
batching   how many tiles at once, by engine
pace       how long a tile takes, so that a refusal can say when to come again
lanes      all of them; notices one that hangs

Knows no HTTP and no model library. The line lives on the event loop, a lane's work in its thread.
"""
