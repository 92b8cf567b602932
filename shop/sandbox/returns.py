"""The way back to the shop, with the parameters the provider's pay page adds."""

from urllib.parse import urlencode

from shop.sandbox.invoices import Invoice
from shop.sandbox.settings import Settings


def return_url(settings: Settings, invoice: Invoice) -> str:
    """Say where the buyer goes next: the success page once paid, else the fail page."""
    base = settings.success_url if invoice.settled else settings.fail_url
    parameters = {"order_id": invoice.order_id} if invoice.order_id else {}
    query = urlencode(parameters | {"invoice_uuid": f"INV-{invoice.id}"})
    return f"{base}{'&' if '?' in base else '?'}{query}"
