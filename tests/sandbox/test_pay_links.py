"""Pay links lead to either brand's host, and are written in every way that has been seen."""

from urllib.parse import urlsplit

import pytest
import requests

from .conftest import Driver

BOTH_VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])
BOTH_BRANDS = pytest.mark.parametrize("brand", ["trybit", "cryptocloud"])


def origins(sandbox: Driver, brand: str) -> tuple[str, str]:
    """Where this brand's pay pages are, and the other's."""
    pair = (sandbox.trybit, sandbox.url)
    return pair if brand == "trybit" else pair[::-1]


def test_the_brands_have_an_origin_each_and_one_server(sandbox: Driver) -> None:
    new, old = urlsplit(sandbox.trybit), urlsplit(sandbox.url)

    assert (new.hostname, old.hostname) == ("localhost", "127.0.0.1")
    assert new.port == old.port
    assert requests.get(f"{sandbox.trybit}/healthz", timeout=60).json() == {"status": "ok"}


@BOTH_BRANDS
@BOTH_VERSIONS
def test_a_link_leads_to_the_host_of_the_brand(sandbox: Driver, brand: str, version: str) -> None:
    home, _ = origins(sandbox, brand)
    sandbox.switch(brand=brand)

    link = sandbox.link_by(version)

    (made,) = sandbox.sandbox.invoices()
    assert link == f"{home}/{made.id}"
    assert requests.get(link, timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("way", "written"), [("bare", "localhost:{port}/{id}"), ("lang", "{home}/{id}?lang=en")]
)
@BOTH_VERSIONS
def test_a_link_can_lack_a_scheme_or_name_a_language(
    sandbox: Driver, way: str, written: str, version: str
) -> None:
    sandbox.switch(link=way)

    link = sandbox.link_by(version)

    (made,) = sandbox.sandbox.invoices()
    port = urlsplit(sandbox.url).port
    assert link == written.format(port=port, home=sandbox.trybit, id=made.id)


@BOTH_BRANDS
@BOTH_VERSIONS
def test_a_link_can_redirect_to_the_other_brand(sandbox: Driver, brand: str, version: str) -> None:
    home, other = origins(sandbox, brand)
    sandbox.switch(brand=brand, link="redirect")

    link = sandbox.link_by(version)

    (made,) = sandbox.sandbox.invoices()
    assert link == f"{home}/r/{made.id}"
    reply = requests.get(link, allow_redirects=False, timeout=60)
    assert (reply.status_code, reply.headers["Location"]) == (302, f"{other}/{made.id}")
    assert requests.get(link, timeout=60).status_code == 200


def test_a_link_can_redirect_to_a_host_of_neither_brand(sandbox: Driver) -> None:
    sandbox.switch(link="redirect_away")

    link = sandbox.link_by("v2")

    (made,) = sandbox.sandbox.invoices()
    assert link == f"{sandbox.trybit}/r/{made.id}"
    reply = requests.get(link, allow_redirects=False, timeout=60)
    location = f"https://elsewhere.invalid/{made.id}"
    assert (reply.status_code, reply.headers["Location"]) == (302, location)


def test_nothing_leads_on_to_an_invoice_that_is_not_there(sandbox: Driver) -> None:
    assert requests.get(f"{sandbox.url}/r/NOSUCH00", timeout=60).status_code == 404


def test_info_tells_the_same_link_as_create(sandbox: Driver) -> None:
    sandbox.switch(link="lang", brand="cryptocloud")
    made = sandbox.new_v2()

    facts = sandbox.told(made["uuid"])

    assert facts["link"] == facts["pay_url"] == made["link"]
