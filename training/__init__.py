"""How the built-in model is made: `python -m training --help`."""
