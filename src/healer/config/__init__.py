"""Every setting, by group, with the name it has in the environment."""

from healer.config.access import ADDRESS
from healer.config.model import COMMIT, PINNED_REVISIONS, GateMode
from healer.config.names import names_of
from healer.config.settings import GROUPS, Settings, load_settings, variable_of

__all__ = [
    "ADDRESS",
    "COMMIT",
    "GROUPS",
    "PINNED_REVISIONS",
    "GateMode",
    "Settings",
    "load_settings",
    "names_of",
    "variable_of",
]
