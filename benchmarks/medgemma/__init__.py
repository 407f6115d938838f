"""MedGemma's shape: a random checkpoint, engines and baselines in turn, the machine's ceilings."""
