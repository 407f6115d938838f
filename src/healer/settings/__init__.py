"""Every setting, by group, with the name it has in the environment."""
