"""What the operator is told of each kind of attention item; docs/operating.md has the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .kinds import AttentionKind as Kind


class About(NamedTuple):
    """What happened, and what a person can do about it; in Markdown, links as in docs/operating.md."""

    what: str
    mend: str


REPORT = (
    "Compare `orders show` with CryptoCloud's account, put right what the buyer sees, and "
    "report it."
)
"""What to do about books that contradict themselves: that is a bug of ours, or somebody's work in the database."""

ABOUT: Mapping[Kind, About] = {
    Kind.KEY_REFUSED: About(
        "CryptoCloud refused the API key; nobody can pay",
        "correct `CRYPTOCLOUD_API_KEY`, restart, then `attention resolve`",
    ),
    Kind.INVOICE_REFUSED: About(
        "CryptoCloud makes no invoice, or does not answer about invoices, and will not at the "
        "next try: a wrong shop id, a project that is not active, an amount below its "
        "minimum, something in between that answers in its place, an API that is gone from "
        "its address, or one that has moved. The item has its words (an email address in them "
        "is left out) and says where to look",
        "put right what it names, restart if it was a setting, make a test invoice (`invoices "
        "create`), then `attention resolve`. Once for each reason, whatever figures stand in "
        "it. Meanwhile buyers read that the shop has a problem and whom to write to; an order "
        "makes one attempt a minute at most",
    ),
    Kind.REPLY_REFUSED: About(
        "CryptoCloud answered a checkout with a link to a host that is not configured, with "
        "another amount (API v2), with a test invoice (API v2; nobody gets money that is sent "
        "to one), or with the invoice of another order; or what came was no answer of its "
        "API: a page, half of one, fields that cannot be. That buyer was sent nowhere, and an "
        "invoice may have been made",
        "read the item: it names the host and the setting, says to leave test mode, or where "
        "to look; then `attention resolve`. Once for each reason until it is resolved; "
        "`orders list --status pending` has those that wait",
    ),
    Kind.ANSWER_UNCLEAR: About(
        "for minutes, what CryptoCloud's API said about an invoice could not be understood: a "
        "status that the shop does not know, or a postback of money that the API neither "
        "confirms nor denies, be it proven or refused though signed with the key",
        "look the invoice up in CryptoCloud's account: when the money is there, `orders "
        "confirm`; then `attention resolve`. The stock stays set aside for a day after the "
        "order's end",
    ),
    Kind.PAID_PARTIAL: About(
        "a part of the money came, and its time is over; or it came for an invoice that was over",
        "be content: `orders confirm`; or write to the buyer, pay back, and `orders refund`. "
        "When the operator confirms the invoice at CryptoCloud, the order becomes paid by "
        "itself",
    ),
    Kind.PAID_LATE: About(
        "the money came later than the goods may still be had for it "
        "([catalogue](catalogue.md#late-money))",
        "`orders confirm`, or pay back and `orders refund`",
    ),
    Kind.NO_STOCK: About(
        "money came late, and the goods are sold out",
        "add stock and `orders confirm`, or pay back and `orders refund`",
    ),
    Kind.PAID_TWICE: About(
        "a second invoice of one order was paid",
        "pay it back, then `attention resolve`; `orders refund` is for the whole order",
    ),
    Kind.REFUND_DUE: About(
        "somebody noted that an order's money goes back, and not yet that it went",
        "pay it back, then `orders refund NUMBER --transaction ID …`, which closes the item",
    ),
    Kind.CONFIRMED_AND_PAID: About(
        "you confirmed an order by hand, and now CryptoCloud says that its invoice is paid",
        "when it is other money than you had seen, pay it back; then `attention resolve`",
    ),
    Kind.AMOUNT_MISMATCH: About(
        "an invoice was paid that is about another amount, currency or order, or is a test "
        "(API v2 only)",
        "compare `orders show` with CryptoCloud's account; then as for `paid_late`",
    ),
    Kind.ORDER_MISMATCH: About(
        "a proven postback about one order's invoice names another order, whose own invoice "
        "was never seen: CryptoCloud may have given one invoice out twice, and asked for the "
        "other order's amount (API v1 does not say)",
        "compare the amounts in `orders show` and CryptoCloud's account; when too little "
        "came, write to the buyer, or pay back and `orders refund`; then `attention resolve`",
    ),
    Kind.UNMATCHED_INVOICE: About(
        "a proven postback about an invoice that no order has; the item says what the API "
        "says about it",
        "look the invoice up at CryptoCloud; it may have been made there by hand",
    ),
    Kind.UNKNOWN_INVOICE: About(
        "the journal (see [Backup](#backup)) has an invoice that the database does not know: "
        "an older copy was put back. It is asked about every hour: when money comes it "
        "becomes `unmatched_invoice`, and it closes when the invoice is cancelled",
        "look it up at CryptoCloud, where the buyer's address stands, and sell or pay back by "
        "hand; then `attention resolve`",
    ),
    Kind.KEY_SOLD_BEFORE: About(
        "a licence key was on sale that the journal says was handed out or withdrawn before; "
        "it was taken off sale",
        "nothing, if an older copy was put back; then `attention resolve`",
    ),
    Kind.ERASE_AGAIN: About(
        "an address that was erased came back with an older copy of the database, and its "
        "order waits for something",
        "close the order, then `privacy erase`",
    ),
    Kind.JOURNAL_FAILED: About(
        "the journal cannot be written or read",
        "as the item says; the shop sells meanwhile",
    ),
    Kind.JOURNAL_LOST: About(
        "a journal that was compared before is gone",
        "as the item says; the shop sells meanwhile",
    ),
    Kind.JOURNAL_DAMAGED: About(
        "lines of the journal cannot be read",
        "as the item says; the shop sells meanwhile",
    ),
    Kind.NOT_CONFIRMED: About(
        'a postback said "paid", and the API has not confirmed it for a day',
        "the same; `postbacks replay` asks once more",
    ),
    Kind.TOO_MANY_ATTEMPTS: About(
        "60 attempts to have one order paid have failed, and no more are made; the item has "
        "the last reason",
        "see to the reason, then write to the buyer: the order can be placed anew, or `orders "
        "confirm` when the money came another way",
    ),
    Kind.MAIL_FAILED: About(
        "a mail that was paid for could not be sent: twenty tries failed, or the mail server "
        "said that the address takes no mail",
        "check `SMTP_URL` and the address, then `mails resend NUMBER`; the goods are on the "
        "order page",
    ),
    Kind.NO_MAIL_SERVER: About(
        "`SMTP_URL` is not set, so no mail leaves; they wait ([below](#without-a-mail-server))",
        "set it, and restart web server and worker; the item closes by itself",
    ),
    Kind.MAILS_REFUSED: About(
        "for an hour the mail server has taken no mail, and mails wait",
        "see `doctor` and the log's lines `mail_queued`; the item closes by itself once a "
        "mail gets through",
    ),
    Kind.CLOCK_WRONG: About(
        "the clock of the machine with the worker is two minutes or more off CryptoCloud's, "
        "by the dates of several answers in a row: genuine postbacks are refused as expired "
        "(the shop asks instead), and orders end at the wrong time",
        "let NTP set it (`timedatectl set-ntp true`); the item closes by itself",
    ),
    Kind.KEYS_SHORT: About(
        "a paid order waits for licence keys; its buyer was told by mail that the key will follow",
        "`keys add`; it is delivered at once, and the item closes",
    ),
    Kind.KEYS_LOW: About(
        "fewer licence keys are on sale than the product's `low_stock`",
        "`keys add`; the item closes when there are enough",
    ),
    Kind.KEYS_COPIED: About(
        "an upgrade found licence keys twice in the stock, from the time before copies were "
        "refused. The copies that nobody has got are off sale; the item names the orders that "
        "were sold the same key",
        "write to one of the buyers and `orders reissue`, `keys add` where orders wait, then "
        "`attention resolve`",
    ),
    Kind.KEYS_WITHDRAWN: About(
        "never open: `keys withdraw` notes here who took which licence keys off sale, and why",
        "nothing; `attention list --all` shows it",
    ),
    Kind.FILE_MISSING: About(
        "a file that is sold cannot be handed out: it is gone, has another size than was "
        "imported, cannot be read, is no plain file, or is a link out of the goods folder; or "
        "the bucket does not answer. A paid order waits for it (its buyer reads so, and gets "
        "a mail), a buyer could not download it, or the sweep found it, which looks at 50 "
        "files a minute",
        "put it back (`products import` does, or a backup). What waits is handed over at the "
        "next sweep, and the item closes",
    ),
    Kind.WORKER_SILENT: About(
        "no sweep of the worker has come to its end for five minutes",
        "start it (`systemctl status storefront-worker`), or read in its log what broke; "
        "closed by the next sweep",
    ),
    Kind.ADDRESS_SILENT: About(
        "for five minutes nothing has shown that `SHOP_PUBLIC_URL` leads to this shop",
        "start web server and proxy; `doctor` says what is there instead. Closed when the "
        "address is reached. Where only the server itself cannot reach it (NAT), `attention "
        "resolve`: it is told again only after it has been reached once",
    ),
    Kind.PROVIDER_SILENT: About(
        "no call to CryptoCloud has gone well for five minutes",
        "see what `doctor` says of the provider; closed by itself when a call goes well",
    ),
    Kind.OWN_FILES_UNREADABLE: About(
        "a text in `pages/`, a template in `templates/` or `theme.css` cannot be used: no "
        "rights, not UTF-8, no plain file, words that no template has, or a template's name that "
        "nothing asks for. Such a page is 503 (the shipped text is not what you have promised), "
        "and the shop keeps its own templates and colours",
        "as the item says; closed by itself",
    ),
    Kind.DISK_LOW: About(
        "less than 0.5 GB is left for the data folder or the database",
        "make room; closed by itself",
    ),
    Kind.MONEY_NOT_COUNTED: About(
        "more payments of an order are paid than its status and this list account for",
        REPORT,
    ),
    Kind.PAID_WITHOUT_MONEY: About(
        "an order counts as paid, and no payment of it is",
        REPORT,
    ),
    Kind.NO_PAYMENT: About(
        "an order was stored without any payment",
        REPORT,
    ),
    Kind.FREE_NOT_GIVEN: About(
        "an order costs nothing, and was not given away as it was placed, or has a payment",
        REPORT,
    ),
    Kind.WRONG_AMOUNT: About(
        "a payment is for another amount than its order",
        REPORT,
    ),
    Kind.WRONG_TOTAL: About(
        "the lines of an order do not add up to its total",
        REPORT,
    ),
    Kind.GOODS_WITHOUT_MONEY: About(
        "an unpaid order hands something over",
        REPORT,
    ),
    Kind.GOODS_MISSING: About(
        "of a paid order a line will never be handed over",
        REPORT,
    ),
    Kind.MAIL_MISSING: About(
        "of a paid order the mail will never be sent",
        REPORT,
    ),
    Kind.NOT_DELIVERED: About(
        "paid over an hour ago, not handed over, and not for want of keys or of a file that "
        "is on this list",
        REPORT,
    ),
    Kind.WRONG_KEYS: About(
        "a line has not exactly the licence keys it was sold with",
        REPORT,
    ),
    Kind.WRONG_HOLD: About(
        "what is set aside does not fit the order's status",
        REPORT,
    ),
    Kind.WRONG_STOCK: About(
        "what is on sale, held and sold does not add up",
        REPORT,
    ),
    Kind.NOT_ANSWERED: About(
        "CryptoCloud has told nothing about an invoice for days, and its time is over. It is "
        "asked once an hour, for a month after its end",
        REPORT,
    ),
    Kind.PAYMENT_STUCK: About(
        "nothing will move a payment any more",
        REPORT,
    ),
    Kind.POSTBACK_STUCK: About(
        "nothing will judge a postback any more",
        REPORT,
    ),
    Kind.HISTORY_TORN: About(
        "an order's history has gaps",
        REPORT,
    ),
}


def what_to_do(kind: str) -> str:
    """`mend` for a screen without links; empty for a kind that only a newer version knows."""
    about = ABOUT[Kind(kind)] if kind in set(Kind) else About("", "")
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", about.mend)
