"""What a WSGI server and `flask --app wsgi` load: the shop, set up from the environment."""

import gc
import sys

# What a start makes stays until the process ends. Looking through it for garbage, while starting and again at the end
# of a short command, takes a quarter of the time.
gc.disable()

from shop import create_app  # noqa: E402 - an import makes most of it
from shop.config import ConfigurationError  # noqa: E402

try:
    app = create_app()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    # gunicorn stops for good at 4; at 1 it would start the next worker, for ever.
    raise SystemExit(4) from None
gc.freeze()
gc.enable()
