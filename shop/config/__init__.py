"""Settings: read from the environment once, frozen, and refused as a whole when any is bad.

Each setting is an environment variable in capitals (`shop_name` is SHOP_NAME), may stand in a
`.env` file, and may be given as a file by NAME_FILE, as container platforms hand out secrets.
Nothing else in the shop reads the environment.
"""

from .environment import ConfigurationError, current_settings, load, unknown_names
from .provider import LONGEST_INVOICE_HOURS, SANDBOX
from .rules import LANGUAGES, LOOPBACK, PAPER, host_name
from .settings import LONGEST_LATE_HOURS, ROOT, WATCH_MARGIN, Settings

__all__ = [
    "LANGUAGES",
    "LONGEST_INVOICE_HOURS",
    "LONGEST_LATE_HOURS",
    "LOOPBACK",
    "PAPER",
    "ROOT",
    "SANDBOX",
    "WATCH_MARGIN",
    "ConfigurationError",
    "Settings",
    "current_settings",
    "host_name",
    "load",
    "unknown_names",
]
