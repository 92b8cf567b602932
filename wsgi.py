"""What a WSGI server and `flask --app wsgi` load: the shop, set up from the environment."""

import gc
import sys

gc.disable()  # next to nothing of what a start makes is garbage, and looking for it takes a tenth of the time

from shop import create_app  # noqa: E402
from shop.config import ConfigurationError  # noqa: E402

try:
    app = create_app()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    # gunicorn stops for good at 4; at 1 it would start the next worker, for ever.
    raise SystemExit(4) from None
gc.enable()
