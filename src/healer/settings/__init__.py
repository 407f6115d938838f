"""Every setting, by group, with the name it has in the environment."""

from healer.settings.access import ADDRESS
from healer.settings.loading import GROUPS, Settings, load_settings, variable_of
from healer.settings.model import COMMIT, PINNED_REVISIONS, GateMode
from healer.settings.names import variable_names_of

__all__ = [
    "ADDRESS",
    "COMMIT",
    "GROUPS",
    "PINNED_REVISIONS",
    "GateMode",
    "Settings",
    "load_settings",
    "variable_names_of",
    "variable_of",
]
