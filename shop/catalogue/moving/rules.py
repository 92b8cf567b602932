"""What becomes of found products here: the rules that are the same whichever system they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from ...money import CURRENCIES, LARGEST_PRICE, Money, MoneyError
from ..fields import html_in
from ..files.exporting import Bare, Written
from ..images import BadImage, prepare
from ..product_draft import (
    LARGEST_STOCK,
    LONGEST_DOWNLOAD_DAYS,
    LONGEST_SUMMARY,
    LONGEST_TEXT,
    LONGEST_TITLE,
    MISSING_GOODS,
    MOST_DOWNLOADS,
)
from .carried import Carried, Here, Settled
from .categories import settle_categories
from .checking import Unfit, draft_of
from .found import TO_BE_SENT, Answers, Findings, FoundProduct, Left, Note, Question, Where
from .goods import Folder, name_of
from .slugs import Slugs, slug_of
from .texts import cut, first_sentence, tidy


def settle(findings: Findings, answers: Answers, here: Here, folder: Path) -> Settled:
    """Put the findings into our fields; `folder` is where the catalogue file will be."""
    _ask_for_currency(findings, answers)
    _ask_about_sending(findings)
    goods = Folder(answers.files, folder)
    slugs = _slugs(findings.products, here)
    fit, met = [], dict[str, Where]()
    for product in findings.products:
        try:
            if met.setdefault(product.key, product.where) != product.where:
                raise Unfit(f"is the same product as {met[product.key]}, by its id")
            values, missing = _values(product, slugs, goods, answers)
            draft = draft_of(values, folder, answers.base_currency)
            fit.append(Carried(product, values, draft, missing))
        except Unfit as reason:
            findings.left.append(Left(product.where, str(reason)))
    findings.products = [each.found for each in fit]
    return Settled(findings, fit, *settle_categories(fit, here))


def _ask_for_currency(findings: Findings, answers: Answers) -> None:
    silent = [product for product in findings.products if not product.currency]
    if not silent:
        return
    if not answers.currency:
        text = "The file does not say which currency its prices are in."
        findings.questions.append(Question(text, f"--currency {answers.base_currency}"))
        return
    for product in silent:
        product.currency = answers.currency
    prices = f"all {len(silent)} prices are" if len(silent) > 1 else "its price is"
    findings.read_as.append(f"{prices} read as {answers.currency}, with or without tax: not said")


def _ask_about_sending(findings: Findings) -> None:
    """Many who sell files never said in their shop that nothing has to be sent: one answer for all."""
    if sent := sum(each.reason == TO_BE_SENT for each in findings.left):
        text = f"Left, because they have to be sent, their file says: {sent}."
        findings.questions.append(Question(text, "--digital, if they need not be.", needed=False))


def _slugs(products: Iterable[FoundProduct], here: Here) -> dict[str, str]:
    """A slug for each key: the one that it has here, else by the order of ids, whatever the file's order is.

    A slug that a product of other origin has here is given out all the same: that is a conflict to show.
    """
    slugs, free = dict(here.bound), Slugs(set(here.bound.values()))
    for product in sorted(products, key=lambda each: _by_number(each.key)):
        if product.key not in slugs:
            wanted = slug_of(product.slug) or slug_of(product.title)
            wanted = wanted or f"product-{slug_of(product.key)}".rstrip("-")
            slugs[product.key] = free.take(wanted)
            if slugs[product.key] != wanted:
                text = "has the address of another one by its title, and gets its own"
                product.notes.append(Note(text, figure=slugs[product.key]))
    foreign = here.slugs - set(here.bound.values())
    return {key: "" if slug in foreign else slug for key, slug in slugs.items()}


def _by_number(key: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d{1,18}", key)], key


def _values(
    product: FoundProduct, slugs: Mapping[str, str], goods: Folder, answers: Answers
) -> tuple[dict[str, Written], str]:
    """What the catalogue file will say, but for the category; and which goods are missing."""
    if not slugs[product.key]:
        slug = slug_of(product.slug) or slug_of(product.title)
        raise Unfit(f"has the address {slug}, which another product has here")
    price = _price(product, answers)
    delivery, missing = _delivery(product, goods)
    title = _fitting(product, "title", tidy(product.title), LONGEST_TITLE)
    summary, text = _opened(product)
    description = _fitting(product, "description", tidy(text, lines=True), LONGEST_TEXT)
    summary = summary or first_sentence(description)
    if not summary or html_in(summary):
        summary = title
    values: dict[str, Written] = {
        "slug": slugs[product.key],
        "title": title,
        "summary": _fitting(product, "summary", summary, LONGEST_SUMMARY),
    }
    if description:
        values["description"] = description
    values["prices"] = {answers.base_currency: Bare(f"{price.decimal:f}")}
    if not product.by_keys:
        stock = product.stock
        values["stock"] = "unlimited" if stock is None else Bare(min(max(stock, 0), LARGEST_STOCK))
    if pictures := _pictures(product, title, goods):
        values["images"] = pictures
    values["delivery"] = delivery
    live = not product.off and (not missing or product.by_keys)
    values["active"] = Bare("yes" if live else "no")
    return values, missing


def _opened(product: FoundProduct) -> tuple[str, str]:
    """Summary and description. A short description that is too long for one line loses none of its words."""
    summary, text = tidy(product.summary), product.description
    if len(summary) <= LONGEST_SUMMARY or not product.opening:
        return summary, text
    product.notes.append(Note("its short description begins the description, as it is long"))
    return first_sentence(product.opening), f"{product.opening}\n\n{text}"


def _price(product: FoundProduct, answers: Answers) -> Money:
    """What one costs today, in the base currency."""
    code = product.currency or answers.base_currency
    if code not in CURRENCIES:
        raise Unfit(f"is priced in {code}, which this shop does not take")
    if code != answers.base_currency:
        raise Unfit(f"has no price in {answers.base_currency}, the base currency")
    figure = _with_sale(product, answers)
    if figure is None:
        raise Unfit("has no price")
    if not figure:
        product.notes.append(Note("costs nothing there, and is free here"))
    try:
        price = Money.parse(f"{figure:f}", code)
    except MoneyError as error:
        raise Unfit(f"has a price that cannot be taken: {error}") from None
    if price.minor > LARGEST_PRICE:
        raise Unfit(f"has a price of {price}, which is too large")
    return price


def _with_sale(product: FoundProduct, answers: Answers) -> Decimal | None:
    """Our format has no sales: one that runs without an end is the price, one with an end is listed."""
    regular, sale = product.price, product.sale
    if regular is None or sale is None or not 0 < sale.price < regular:
        return regular
    if sale.ends and sale.ends <= answers.now:
        product.notes.append(Note("was on sale until a day that is over", figure=f"{sale.price}"))
        return regular
    if sale.ends or (sale.starts and sale.starts > answers.now):
        until = " to ".join(
            f"{each:%Y-%m-%d %H:%M}" if each else "…" for each in (sale.starts, sale.ends)
        )
        figure = f"{regular}, not {sale.price} ({until} UTC)"
        product.notes.append(
            Note("costs its regular price; a sale with dates is not carried", figure=figure)
        )
        return regular
    text = "costs what it does today, in a sale; its regular price is not carried"
    product.notes.append(Note(text, figure=f"{sale.price}, not {regular}"))
    return sale.price


def _delivery(product: FoundProduct, goods: Folder) -> tuple[dict[str, Written], str]:
    text = _fitting(
        product, "text after the purchase", tidy(product.text, lines=True), LONGEST_TEXT - 100
    )
    said: dict[str, Written] = {"text": text} if text else {}
    if product.by_keys:
        return {"keys": Bare("yes"), **said}, "keys"
    terms = _terms(product)
    found = {each.name: goods.find(each.name) for each in product.goods}
    if found and all(found.values()):
        return {"files": [*dict.fromkeys(found.values())], **said, **terms}, ""
    for name, figure in terms.items():
        product.notes.append(Note(f"{name}: {figure} has to be said together with its file"))
    # Without one of its files it is not what buyers pay for.
    names = ", ".join(name for name, path in found.items() if not path) or "not in the file"
    return {"text": "\n\n".join(filter(None, (MISSING_GOODS, text)))}, names


def _terms(product: FoundProduct) -> dict[str, Written]:
    terms: dict[str, Written] = {}
    for name, figure, most in (
        ("downloads", product.downloads, MOST_DOWNLOADS),
        ("days", product.days, LONGEST_DOWNLOAD_DAYS),
    ):
        if figure is not None and 0 < figure <= most:
            terms[name] = Bare(figure)
        elif figure is not None and figure > most:
            product.notes.append(Note(f"{name}: {figure} is more than {most}, and so has no limit"))
    return terms


def _pictures(product: FoundProduct, title: str, goods: Folder) -> list[Written]:
    """Those that are in the folder. An address is listed and not fetched; a broken one stops nothing."""
    pictures: list[Written] = []
    for picture in product.pictures:
        path = goods.find(name_of(picture.address))
        try:
            if path:
                prepare(goods.catalogue / path)
                alt = tidy(picture.alt) or title
                pictures.append(
                    {"file": path, "alt": cut(alt if not html_in(alt) else title, LONGEST_SUMMARY)}
                )
            else:
                product.notes.append(Note("a picture is not carried", picture.address))
        except BadImage as error:
            product.notes.append(Note(f"a picture {error}", picture.address))
    return pictures


def _fitting(product: FoundProduct, what: str, text: str, limit: int) -> str:
    short = cut(text, limit)
    if short != text:
        product.notes.append(Note(f"the {what} is cut at {limit} characters", text))
    return short
