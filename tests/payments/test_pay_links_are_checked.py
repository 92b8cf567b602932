"""A buyer is sent to the configured pay hosts and nowhere else, whatever the provider's reply says."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import responses
from hypothesis import example, given
from hypothesis import strategies as st

from shop.payments.cryptocloud import Unclear, Untrusted, named_host
from shop.payments.cryptocloud.invoices import checked_pay_url
from tests.payments.wire import (
    CREATE,
    CREATE_V2,
    MADE,
    MADE_V2,
    ask,
    make_client,
    make_client_v2,
    patient,
    well,
)

HOST = "pay.cryptocloud.plus"
GOOD = [
    "https://pay.trybit.com/89UX09KA",
    "https://pay.trybit.com/89UX09KA?lang=ru",
    f"https://{HOST}/DZLF4212",
    f"https://{HOST}/DZLF4212?lang=en#top",
    f"https://{HOST}",
    f"https://{HOST}:443/DZLF4212",
    f"HTTPS://{HOST.upper()}/DZLF4212",
    f"https://{HOST}/" + "x" * (512 - len(f"https://{HOST}/")),
]
BAD = [
    None, 4212, True, ["https://" + HOST], {"url": HOST}, "", "DZLF4212", "/DZLF4212",
    f"http://{HOST}/DZLF4212",
    f"http://{HOST}:443/DZLF4212",
    f"https://{HOST}:80/DZLF4212",
    f"https://{HOST}:8443/DZLF4212",
    f"https://{HOST}:0443/DZLF4212",
    f"https://{HOST}:/DZLF4212",
    f"https://{HOST}./DZLF4212",
    f"https://{HOST}.evil.example/DZLF4212",
    f"https://{HOST}@evil.example/DZLF4212",
    f"https://{HOST}:443@evil.example/DZLF4212",
    f"https://evil.example@{HOST}/DZLF4212",
    f"https://user:password@{HOST}/DZLF4212",
    f"https://evil.example/{HOST}",
    f"https://evil.example#@{HOST}/",
    f"https://evil.example?@{HOST}/",
    f"https://evil.example\\@{HOST}/",
    f"https://{HOST}\\@evil.example/",
    f"https:\\\\{HOST}/DZLF4212",
    f"https:/{HOST}/DZLF4212",
    f"https:///{HOST}/DZLF4212",
    f" https://{HOST}/DZLF4212",
    f"https://{HOST}/DZLF4212\n",
    f"https://{HOST}/DZLF 4212",
    f"https://{HOST}/DZLF4212\r\nLocation: https://evil.example",
    f"https://\t{HOST}/DZLF4212",
    f"https://{HOST}/\x00",
    "https://pay.cryptocloud.plus\u2024evil.example/",
    "https://pay.crypt\u043ecloud.plus/DZLF4212",
    "https://xn--pay-cryptocloud.plus/DZLF4212",
    "https://cryptocloud.plus/DZLF4212",
    "https://sub.pay.cryptocloud.plus/DZLF4212",
    "https://[pay.cryptocloud.plus]/",
    "https://[::1/",
    "javascript:alert(1)//https://pay.cryptocloud.plus/",
    "data:text/html,https://pay.cryptocloud.plus/",
    f"ftp://{HOST}/DZLF4212",
    f"https://{HOST}/" + "x" * 600,
]  # fmt: skip


@pytest.mark.parametrize("link", GOOD)
@responses.activate
def test_a_link_to_the_pay_host_is_handed_on_as_it_came(link: str) -> None:
    responses.post(CREATE, json=MADE | {"pay_url": link})

    assert ask(make_client()).pay_url == link


@pytest.mark.parametrize("link", BAD)
@responses.activate
def test_any_other_link_leaves_the_outcome_unclear_and_is_not_repeated(link: object) -> None:
    responses.post(CREATE, json=MADE | {"pay_url": link})

    with pytest.raises(Unclear, match="pay_url") as error:
        ask(make_client())

    assert len(str(error.value)) < 200
    assert "password" not in str(error.value)


@pytest.mark.parametrize("host", ["pay.trybit.com", HOST, HOST.upper()])
@pytest.mark.parametrize("before", ["", "//"])
@responses.activate
def test_a_link_without_a_scheme_gets_the_one_of_the_host_it_names(before: str, host: str) -> None:
    responses.post(CREATE, json=MADE | {"pay_url": f"{before}{host}/DZLF4212?lang=en"})

    assert ask(make_client()).pay_url == f"https://{host}/DZLF4212?lang=en"


@pytest.mark.parametrize(
    "link",
    ["evil.example/X", "//evil.example/X", f"{HOST}.evil.example/X", f"{HOST}@evil.example/X",
     f"{HOST}:8443/X", f"evil.example/{HOST}", f"/{HOST}/X", f"///{HOST}/X", f"javascript:{HOST}/X",
     f"{HOST}%2f@evil.example/X"],
)  # fmt: skip
@responses.activate
def test_a_link_without_a_scheme_to_another_host_gets_none(link: str) -> None:
    responses.post(CREATE, json=MADE | {"pay_url": link})

    with pytest.raises(Untrusted):
        ask(make_client())


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("https://pay.elsewhere.example/89UX09KA", "pay.elsewhere.example"),
        ("https://Pay.Elsewhere.Example:8443/secret?key=1", "pay.elsewhere.example:8443"),
        ("https://name:secret@elsewhere.example/X", "elsewhere.example"),
        ("/89UX09KA", "no host"),
    ],
)
@responses.activate
def test_a_refused_host_is_named_and_nothing_else_of_the_link(link: str, named: str) -> None:
    responses.post(CREATE, json=MADE | {"pay_url": link})

    with pytest.raises(Untrusted) as error:
        ask(make_client())

    assert str(error.value) == f"the reply's pay_url leads to {named}, which is not configured"


@pytest.mark.parametrize("link", GOOD + BAD)
@responses.activate
def test_v2s_link_is_checked_in_the_same_way(link: object) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | {"link": link}))
    if link in GOOD:
        assert ask(make_client_v2()).pay_url == link
    else:
        with pytest.raises(Unclear, match="pay_url"):
            ask(make_client_v2())


@responses.activate
def test_the_hosts_are_the_ones_that_were_configured_port_and_all() -> None:
    client = make_client(pay_origins=("http://127.0.0.1:5001", "https://pay.example"))
    responses.post(CREATE, json=MADE | {"pay_url": "http://127.0.0.1:5001/DZLF4212"})
    responses.post(CREATE, json=MADE | {"pay_url": "https://pay.example/DZLF4212"})
    responses.post(CREATE, json=MADE | {"pay_url": "http://127.0.0.1:5002/DZLF4212"})
    responses.post(CREATE, json=MADE)

    ask(client)
    ask(client)
    for _ in range(2):
        with pytest.raises(Unclear, match="pay_url"):
            ask(client)


@pytest.mark.parametrize(
    ("origin", "link", "accepted"),
    [
        ("http://pay.example", "http://pay.example:80/X", True),
        ("http://pay.example", "http://pay.example:443/X", False),
        ("https://pay.example", "https://pay.example:443/X", True),
        ("https://pay.example", "https://pay.example:80/X", False),
    ],
)
def test_a_schemes_own_port_may_be_written_out(origin: str, link: str, accepted: bool) -> None:
    if accepted:
        assert checked_pay_url(link, [origin], "DZLF4212") == link
    else:
        with pytest.raises(Untrusted, match="not configured"):
            checked_pay_url(link, [origin], "DZLF4212")


PIECES = st.sampled_from(
    ["https://", "http://", HOST, "evil.example", "@", ":", ":443", "/", "\\", "#", "?", ".", "[", "]",
     "//", "%2f", "%00", "\t", " ", "user", "\u3002"]
)  # fmt: skip


@patient
@given(pieces=st.lists(PIECES, max_size=8))
@example(["https://", HOST, "/", "x"])
def test_no_mixture_of_pieces_leads_elsewhere(pieces: list[str]) -> None:
    link = "".join(pieces)
    with responses.RequestsMock() as provider:
        provider.post(CREATE, json=MADE | {"pay_url": link})
        try:
            accepted = ask(make_client(call_seconds=10)).pay_url
        except Unclear:
            return

    assert accepted.lower().startswith(
        (f"https://{HOST}/", f"https://{HOST}:443", f"https://{HOST}")
    )
    assert accepted.endswith(link)
    assert urlsplit(accepted).hostname == HOST
    assert urlsplit(accepted).netloc in (HOST, f"{HOST}:443")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("https://Pay.Example:8443/secret?key=1#top", "pay.example:8443"),
        ("//pay.example/x", "pay.example"),
        ("https://name:pass@word@pay.example/", "pay.example"),
        ("https://п\u0430y.example\x7f/", "??y.example?"),
        (f"https://{'x' * 90}/", "x" * 80),
        ("pay.example/x", ""),
        ("https://[::1/", ""),
        ("", ""),
    ],
)
def test_the_host_of_an_address_is_named_fit_to_be_shown(address: str, named: str) -> None:
    assert named_host(address) == named


@pytest.mark.parametrize(
    ("link", "origin"),
    [
        ("http://127.0.0.1:80/DZLF4212", "http://127.0.0.1"),
        ("127.0.0.1:5001/DZLF4212", "http://127.0.0.1:5001"),
        (f"{HOST}?invoice=DZLF4212", f"https://{HOST}"),
        (f"{HOST}#DZLF4212", f"https://{HOST}"),
        (HOST, f"https://{HOST}"),
    ],
)
def test_a_link_is_measured_by_the_scheme_and_port_of_its_own_origin(
    link: str, origin: str
) -> None:
    with_its_scheme = link if "://" in link else f"{origin.partition('://')[0]}://{link}"

    assert checked_pay_url(link, [origin], "DZLF4212") == with_its_scheme
    with pytest.raises(Untrusted):
        checked_pay_url(link, ["https://pay.elsewhere.example"], "DZLF4212")
