"""The groups of the command line, one for each noun: what each is for, and which modules have its commands."""

from __future__ import annotations

from .group import CommandGroup

addresses = CommandGroup(
    "addresses",
    ("addresses",),
    help="Old addresses that lead to products and categories, as links have them still.",
)
attention = CommandGroup("attention", ("attention",), help="What a person must look at.")
invoices = CommandGroup(
    "invoices", ("invoices",), help="Make and look at invoices at the provider."
)
jobs = CommandGroup("jobs", ("jobs",), help="Run the worker's jobs by hand.")
keys = CommandGroup("keys", ("keys",), help="The stock of licence keys.")
limits = CommandGroup(
    "limits",
    ("limits",),
    help="What is counted for an email address, a network or an order; and lifting it.",
)
mails = CommandGroup(
    "mails", ("mails",), help="Send an order's mail again, or note that it came back."
)
orders = CommandGroup(
    "orders",
    ("orders", "reissue"),
    help="List, show and re-check orders, and decide about their money.",
)
pages = CommandGroup("pages", ("pages",), help="The texts of terms, privacy, refunds and contact.")
postbacks = CommandGroup(
    "postbacks",
    ("postbacks",),
    help="The provider's postbacks: proven ones, the inbox, and refused ones.",
)
privacy = CommandGroup(
    "privacy", ("privacy",), help="What is known about a buyer, and forgetting it."
)
products = CommandGroup(
    "products", ("products", "moving"), help="Import and export the products for sale."
)
products.add_command(addresses)
rates = CommandGroup(
    "rates", ("products",), help="Set and list exchange rates, which fill in missing prices."
)

NOUNS = (
    attention,
    invoices,
    jobs,
    keys,
    limits,
    mails,
    orders,
    pages,
    postbacks,
    privacy,
    products,
    rates,
)
"""All groups that stand by themselves."""
