"""What a product page says to machines: schema.org's Product, as JSON-LD."""

from __future__ import annotations

from ...config import current_settings
from ...money import Money
from ...web.canonical import in_full
from .pages import ProductPage

IN_STOCK = "https://schema.org/InStock"
SOLD_OUT = "https://schema.org/SoldOut"

Data = dict[str, object]


def linked_product(product: ProductPage, url: str) -> Data:
    """The product at `url`, where its price is the one that a person sees there."""
    data: Data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "description": product.summary,
        "sku": product.slug,
        "url": url,
    }
    if product.images:
        data["image"] = [in_full(image.src) for image in product.images]
    if product.price is not None:
        data["offers"] = _offer(product, product.price, url)
    return data


def _offer(product: ProductPage, price: Money, url: str) -> Data:
    data: Data = {
        "@type": "Offer",
        "price": f"{price.decimal:f}",
        "priceCurrency": price.currency,
        "availability": SOLD_OUT if product.sold_out else IN_STOCK,
        "url": url,
        "seller": {"@type": "Organization", "name": current_settings().shop_name},
    }
    if product.most_per_order is not None:
        most = {"@type": "QuantitativeValue", "maxValue": product.most_per_order}
        data["eligibleQuantity"] = most
    return data
