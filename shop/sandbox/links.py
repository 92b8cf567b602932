"""Pay links, as the API writes them: of either brand, and as odd as switched."""

from shop.sandbox.state import Sandbox
from shop.sandbox.switches import Api, Brand, Link

ELSEWHERE = "https://elsewhere.invalid"


def pay_page(sandbox: Sandbox, number: str) -> str:
    """Where the present brand has an invoice's pay page."""
    return f"{sandbox.settings.pay_origin(sandbox.switches.brand)}/{number}"


def pay_link(sandbox: Sandbox, number: str) -> str:
    """The pay link that the API tells for an invoice, as odd as switched."""
    if sandbox.switches.api is Api.FOREIGN_LINK:
        return f"{ELSEWHERE}/{number}"
    link = pay_page(sandbox, number)
    match sandbox.switches.link:
        case Link.BARE:
            return link.partition("://")[2]
        case Link.LANG:
            return f"{link}?lang=en"
        case Link.REDIRECT | Link.REDIRECT_AWAY:
            return f"{sandbox.settings.pay_origin(sandbox.switches.brand)}/r/{number}"
    return link


def led_on(sandbox: Sandbox, number: str, host: str) -> str:
    """Where a link that redirects leads from a host: away, or to the other brand's pay page."""
    if sandbox.switches.link is Link.REDIRECT_AWAY:
        return f"{ELSEWHERE}/{number}"
    here = sandbox.settings.brand_at(host)
    other = Brand.CRYPTOCLOUD if here is Brand.TRYBIT else Brand.TRYBIT
    return f"{sandbox.settings.pay_origin(other)}/{number}"
