"""The yardstick: a Flask app with one constant route, served just as the shop is."""

from flask import Flask

PAGE = "x" * 8192

app = Flask(__name__)


@app.get("/")
def page() -> str:
    """Answer 8 KB, about the size of a product page."""
    return PAGE
