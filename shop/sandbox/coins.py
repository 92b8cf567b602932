"""Coins and fiat currencies the sandbox knows, at made-up rates that never move."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

FIAT_IN_USD = {
    "USD": Decimal("1"),
    "RUB": Decimal("0.011"),
    "EUR": Decimal("1.08"),
    "GBP": Decimal("1.27"),
    "UAH": Decimal("0.024"),
}


@dataclass(frozen=True)
class Coin:
    """A cryptocurrency with its network, as the provider codes it."""

    code: str
    name: str
    usd: Decimal
    places: int


_ALL = (
    Coin("BTC", "Bitcoin", Decimal("60000"), 8),
    Coin("ETH", "Ethereum", Decimal("3000"), 8),
    Coin("LTC", "Litecoin", Decimal("80"), 8),
    Coin("USDT_TRC20", "Tether on Tron", Decimal("1"), 2),
    Coin("USDT_ERC20", "Tether on Ethereum", Decimal("1"), 2),
)
COINS = {coin.code: coin for coin in _ALL}
DEFAULT_COIN = COINS["BTC"]


def in_usd(amount: Decimal, currency: str) -> Decimal:
    """Value a fiat amount in US dollars."""
    return (amount * FIAT_IN_USD[currency]).quantize(Decimal("0.01"))


def in_coin(amount: Decimal, currency: str, coin: Coin) -> Decimal:
    """Value a fiat amount in a coin, rounded up so that the merchant is never short."""
    exact = amount * FIAT_IN_USD[currency] / coin.usd
    return exact.quantize(Decimal(1).scaleb(-coin.places), rounding=ROUND_UP)
