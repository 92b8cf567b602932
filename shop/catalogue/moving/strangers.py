"""Files that merchants bring and that hold no products: each is named, with the way to the right one."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from .found import MovingError

SIGNATURES = {
    b"PK\x05\x06": "This is an empty archive (zip). Bring the table itself.",
    b"\xd0\xcf\x11\xe0": "This is an old Excel workbook (xls). Save it as “CSV UTF-8”, and bring that.",
    b"\x1f\x8b": "This is a compressed file (gz). Unpack it, and bring the table that is in it.",
    b"Rar!": "This is an archive (rar). Unpack it, and bring the table that is in it.",
    b"7z\xbc\xaf": "This is an archive (7z). Unpack it, and bring the table that is in it.",
    b"%PDF": "This is a PDF, which is made for printing. Export the products as CSV.",
    b"SQLite format 3": "This is a database. Export the products as CSV in the old shop's admin.",
}
WORKBOOK = (
    "This is an Excel workbook (xlsx). Bring the CSV that the old shop gave out, as it was before Excel; or save the "
    "sheet with the products as “CSV UTF-8”."
)
OPENCART = (
    "This is a workbook of an add-on of OpenCart, whose products are spread over several sheets with their texts "
    "escaped twice. That is not read here: write a catalogue file (docs/catalogue.md) with its names and prices."
)
PRESTASHOP = (
    "This is a list of products as PrestaShop's admin shows it: without texts, further pictures, combinations and "
    "files. That is not enough for a shop. Write a catalogue file (docs/catalogue.md) with its names and prices."
)
BUYERS = (
    "{what}: it holds your buyers' names and addresses, and no products. {instead} Delete this file if you do not "
    "need it."
)
OF_BUYERS = (
    (
        {"purchase id", "item name"},
        "These are Gumroad's sales",
        "Gumroad gives out products as JSON alone: GET /v2/products (docs/moving.md).",
    ),
    (
        {"name", "email", "financial status"},
        "These are Shopify's orders",
        "Export the products: Products, Export.",
    ),
    (
        {"first name", "last name", "email", "total orders"},
        "These are Shopify's customers",
        "Export the products: Products, Export.",
    ),
    (
        {"order number", "order status", "order date"},
        "These are orders of WooCommerce",
        "Export the products: Products, Export.",
    ),
    (
        {"payment number", "email", "gateway"},
        "These are payments of Easy Digital Downloads",
        "Export the products: Downloads, Tools, Export.",
    ),
    (
        {"order id", "user email", "store id"},
        "These are orders of Lemon Squeezy",
        "Products come from GET /v1/products?include=variants (docs/moving.md).",
    ),
)
OF_PRESTASHOP = (
    {"reference", "price (tax excl.)", "status"},
    {"référence", "prix (ht)", "état"},
    {"product id", "reference", "position"},
)
OF_OPENCART = {"products", "additionalimages", "productoptions"}
DOCUMENTS = (
    ({"handle", "body_html"}, "products.json of Shopify", "Products, Export"),
    ({"permalink", "regular_price"}, "WooCommerce's programming interface", "Products, Export"),
)
"""By two fields of a product: JSON of systems that give out a table, which says more."""
KEY_SHOPS = (
    ({"uniqid", "title"}, "Sellix"),
    ({"slug", "title", "store_id"}, "sell.app"),
)
WEB_PAGE = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)


def refuse_strangers(content: bytes) -> None:
    """Raise MovingError if the file is one of those that are known to hold no products."""
    for signature, text in SIGNATURES.items():
        if content.startswith(signature):
            raise MovingError(text)
    if content.startswith(b"PK\x03\x04"):
        raise MovingError(_archive(content))
    start = content[:4096].removeprefix(b"\xef\xbb\xbf")
    if WEB_PAGE.match(start):
        raise MovingError(
            "This is a web page, most likely the old shop's log-in page, saved because you were not logged in any "
            "more. Log in there, and export again."
        )
    if start.lstrip().startswith(b"<"):
        raise MovingError(_markup(content))
    for text in _about_the_heading(start):
        raise MovingError(text)


def refuse_documents(document: object) -> None:
    """Raise MovingError if this JSON is of a system whose products are read from a table, or not at all."""
    whole = document
    for name in ("data", "products"):
        whole = whole.get(name, whole) if isinstance(whole, dict) else whole
    fields = (
        [each.keys() for each in whole if isinstance(each, dict)] if isinstance(whole, list) else []
    )
    for marks, what, path in DOCUMENTS:
        if fields and all(marks <= each for each in fields):
            raise MovingError(
                f"This is an answer of {what}. Bring the table that the admin exports: {path}."
            )
    for marks, what in KEY_SHOPS:
        if fields and all(marks <= each for each in fields):
            raise MovingError(
                f"This is an answer of {what}, whose products are not read here. Write a catalogue file "
                "(docs/catalogue.md), and bring the keys as lists: keys add SLUG FILE."
            )


def _archive(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" not in names:
                tables = ", ".join(
                    sorted(name[:60] for name in names if name.lower().endswith(".csv"))[:3]
                )
                inside = f" In it are {tables}." if tables else ""
                return f"This is an archive (zip). Unpack it, and bring the table that is in it.{inside}"
            with archive.open("xl/workbook.xml") as file:
                workbook = file.read(2**18).decode(errors="ignore")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return "This is an archive (zip), and a broken one. Download it again."
    sheets = {name.lower() for name in re.findall(r'<sheet [^>]*?name="(\w+)"', workbook)}
    return OPENCART if sheets >= OF_OPENCART else WORKBOOK


def _markup(content: bytes) -> str:
    if b"wordpress.org/export" in content[: 2**16]:
        return (
            "This is WordPress's own export (XML), which is made for pages. Export the products as CSV: in "
            "WooCommerce Products, Export; in Easy Digital Downloads Downloads, Tools, Export."
        )
    return "This is XML, which is not read here. Export the products as CSV."


def _about_the_heading(start: bytes) -> Iterator[str]:
    line = next((line for line in start.splitlines() if line.strip()), b"").decode(errors="replace")
    names = {cell.strip(" \"'").casefold() for cell in re.split(r"[,;\t]", line)}
    for marks, what, instead in OF_BUYERS:
        if marks <= names:
            yield BUYERS.format(what=what, instead=instead)
    if any(marks <= names for marks in OF_PRESTASHOP):
        yield PRESTASHOP
    if {"product_id", "model"} <= names and any(name.startswith("name(") for name in names):
        yield OPENCART
