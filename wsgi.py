"""What a WSGI server and `flask --app wsgi` load: the shop, set up from the environment."""

import sys

from shop import create_app
from shop.config import ConfigurationError

try:
    app = create_app()
except ConfigurationError as error:
    sys.stderr.write(f"{error}\n")
    # gunicorn stops for good at 4; at 1 it would start the next worker, for ever.
    raise SystemExit(4) from None
