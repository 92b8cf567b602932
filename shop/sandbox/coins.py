"""Coins and fiat currencies the sandbox knows, at made-up rates that never move."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

FIAT_IN_USD = {
    code: Decimal(rate)
    for code, rate in {
        "USD": "1",
        "UZS": "0.00008",
        "KGS": "0.0114",
        "KZT": "0.002",
        "AMD": "0.0026",
        "AZN": "0.588",
        "BYN": "0.3",
        "AUD": "0.65",
        "TRY": "0.024",
        "AED": "0.272",
        "CAD": "0.72",
        "CNY": "0.14",
        "HKD": "0.128",
        "IDR": "0.00006",
        "INR": "0.0115",
        "JPY": "0.0066",
        "PHP": "0.017",
        "SGD": "0.77",
        "THB": "0.03",
        "VND": "0.00004",
        "MYR": "0.24",
        "RUB": "0.011",
        "UAH": "0.024",
        "EUR": "1.08",
        "GBP": "1.27",
    }.items()
}
"""The currencies that API v2 takes, in the order of its documents, and what one unit is worth in US dollars."""
FIAT_OF_V1 = ("USD", "RUB", "EUR", "GBP", "UAH")


@dataclass(frozen=True)
class Coin:
    """A cryptocurrency with its network, as the provider codes it."""

    code: str
    name: str
    usd: Decimal
    places: int
    number: int
    """The provider's own number for it: made up, but for Tether on Tron, which has its real one."""

    @property
    def asset(self) -> str:
        """The coin's own code, whatever network it is on."""
        return self.code.partition("_")[0]

    @property
    def network(self) -> str:
        """The network's code; a coin with a network of its own has the same code as that."""
        return self.code.partition("_")[2] or self.code


_NETWORKS = {
    "ARB": "Arbitrum",
    "BASE": "Base",
    "BSC": "BNB Smart Chain",
    "ERC20": "Ethereum",
    "OPT": "Optimism",
    "SOL": "Solana",
    "TON": "TON",
    "TRC20": "Tron",
}
_ASSETS = (  # code, name, US dollars, decimal places, networks
    ("BTC", "Bitcoin", "60000", 8, ""),
    ("LTC", "Litecoin", "80", 8, ""),
    ("TRX", "Tron", "0.25", 2, ""),
    ("USDT", "Tether", "1", 2, "TRC20 ERC20 ARB BSC OPT SOL TON"),
    ("SOL", "Solana", "150", 6, ""),
    ("TON", "Toncoin", "3", 4, ""),
    ("BNB", "BNB", "600", 6, ""),
    ("ETH", "Ethereum", "3000", 8, "- ARB BASE OPT"),
    ("USDC", "USD Coin", "1", 2, "ARB BASE BSC ERC20 OPT SOL"),
    ("DAI", "Dai", "1", 2, "ARB BASE BSC ERC20 OPT"),
    ("USDD", "Decentralized USD", "1", 2, "TRC20"),
    ("PYUSD", "PayPal USD", "1", 2, "ERC20 SOL"),
    ("XAUT", "Tether Gold", "2500", 6, "ERC20 TON"),
    ("ARB", "Arbitrum", "0.5", 4, "ARB"),
    ("OP", "Optimism", "0.8", 4, "OPT"),
    ("PEPE", "Pepe", "0.00001", 2, "BSC ERC20"),
    ("SHIB", "Shiba Inu", "0.00001", 2, "BSC ERC20"),
    ("TRUMP", "Official Trump", "8", 4, "SOL"),
)
_CODED = [
    (asset if network in ("", "-") else f"{asset}_{network}", name, network, usd, places)
    for asset, name, usd, places, networks in _ASSETS
    for network in networks.split(" ")
]


def _named(name: str, network: str) -> str:
    return f"{name} on {_NETWORKS[network]}" if network in _NETWORKS else name


COINS = {
    code: Coin(code, _named(name, network), Decimal(usd), places, number)
    for number, (code, name, network, usd, places) in enumerate(_CODED, 1)
}
DEFAULT_COIN = COINS["USDT_TRC20"]
"""What an invoice is counted in before anybody has chosen a coin."""
OFTEN_USED = tuple(COINS[code] for code in ("USDT_TRC20", "USDT_ERC20", "BTC", "ETH", "LTC"))


def in_usd(amount: Decimal, currency: str) -> Decimal:
    """Value a fiat amount in US dollars."""
    return (amount * FIAT_IN_USD[currency]).quantize(Decimal("0.01"))


def in_coin(amount: Decimal, currency: str, coin: Coin) -> Decimal:
    """Value a fiat amount in a coin, rounded up so that the merchant is never short."""
    exact = amount * FIAT_IN_USD[currency] / coin.usd
    return exact.quantize(Decimal(1).scaleb(-coin.places), rounding=ROUND_UP)
