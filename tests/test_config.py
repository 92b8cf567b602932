"""Settings are right, all of them, or the shop does not start and says what to mend."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shop.config import (
    ROOT,
    SANDBOX,
    ConfigurationError,
    Settings,
    load,
    unknown_names,
)

NAMES = [name.upper() for name in Settings.model_fields]
SHOWN = [name for name in NAMES if name != "SHOP_FAILPOINTS"]
"""What operators are told of: the tests' own setting is none of their business."""
SECRETS = {
    "SECRET_KEY": "canary-flask-secret-0123456789-0123456789",
    "CRYPTOCLOUD_API_KEY": "canary-api-key-0123456789",
    "CRYPTOCLOUD_SECRET_KEY": "canary-postback-secret-0123456789",
    "SMTP_URL": "smtps://mailer:canary-password@mail.example",
    "DATABASE_URL": "postgresql://shop:canary-database@db.example/shop",
    "QUEUE_URL": "redis://:canary-queue@redis.example/0",
}
NEEDED = {
    "SECRET_KEY": SECRETS["SECRET_KEY"],
    "CRYPTOCLOUD_API_KEY": SECRETS["CRYPTOCLOUD_API_KEY"],
    "CRYPTOCLOUD_SHOP_ID": "SHOP000000000001",
    "CRYPTOCLOUD_SECRET_KEY": SECRETS["CRYPTOCLOUD_SECRET_KEY"],
    "SHOP_PUBLIC_URL": "https://shop.example",
    "SHOP_ALERT_EMAIL": "owner@shop.example",
}
"""All that a shop in production must be told."""
NOBODY = (
    ", and so is SHOP_SUPPORT_EMAIL: set one, or nobody is told when money or goods need a person"
)


@pytest.fixture
def no_dotenv(tmp_path: Path) -> Path:
    return tmp_path / "no.env"


def problems(environ: dict[str, str], dotenv: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        load(environ, dotenv)
    return error.value.problems


def named(lines: list[str]) -> set[str]:
    return {line.partition(" ")[0] for line in lines}


def missing(name: str) -> str:
    """The line about a setting that is not there."""
    return f"{name} is missing{NOBODY if name == 'SHOP_ALERT_EMAIL' else ''}"


def test_a_shop_in_production_needs_six_settings(no_dotenv: Path) -> None:
    settings = load(NEEDED, no_dotenv)

    assert settings.shop_public_url == "https://shop.example"
    assert settings.cryptocloud_api_url == "https://api.cryptocloud.plus"
    assert settings.cryptocloud_pay_hosts == (
        "https://pay.trybit.com",
        "https://pay.cryptocloud.plus",
    )
    assert settings.shop_currencies == ("USD", "RUB", "EUR", "GBP", "UAH")
    assert not settings.development
    assert settings.secure


def test_every_missing_setting_is_named_at_once(no_dotenv: Path) -> None:
    assert sorted(problems({}, no_dotenv)) == sorted(map(missing, NEEDED))


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_a_blank_setting_is_a_missing_one(no_dotenv: Path, name: str, blank: str) -> None:
    assert problems(NEEDED | {name: blank}, no_dotenv) == [missing(name)]


def test_whoever_answers_buyers_can_be_told_what_needs_a_person(no_dotenv: Path) -> None:
    told = NEEDED | {"SHOP_ALERT_EMAIL": "", "SHOP_SUPPORT_EMAIL": "help@shop.example"}

    assert load(told, no_dotenv).alert_email == "help@shop.example"


MALFORMED = {
    "SECRET_KEY": ["short", "x" * 31],
    "CRYPTOCLOUD_API_KEY": ["a key", "two\nlines", "ключ"],
    "CRYPTOCLOUD_API_URL": ["http://api.cryptocloud.plus", "https://api.example/v1", "ftp://a.example"],
    "CRYPTOCLOUD_API_VERSION": ["3", "v1", "1.0"],
    "CRYPTOCLOUD_INVOICE_HOURS": ["0", "12", "721", "a day"],
    "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL": ["tomorrow", "2027-01-31T12:00:00"],
    "SECRET_KEY_PREVIOUS": ["x" * 31, "development-only-secret-key-0000000000000"],
    "SECRET_KEY_PREVIOUS_UNTIL": ["tomorrow", "2027-01-31T12:00:00"],
    "CRYPTOCLOUD_PAY_HOSTS": [",", "http://pay.example", "pay.example,https://x/y", "*"],
    "CRYPTOCLOUD_SEND_EMAIL": ["perhaps", "2"],
    "DATABASE_URL": ["mysql://db.example/shop", "shop.db", "postgresql://u:p@db.example:port/shop", "//",
                     "sqlite://", "sqlite:///:memory:"],
    "CRYPTOCLOUD_SHOP_ID": ["two words", "номер"],
    "CRYPTOCLOUD_SECRET_KEY": ["two\nlines", "a\u200bb"],
    "SHOP_GOODS_KEY_ID": ["two words"],
    "SHOP_GOODS_SECRET_KEY": ["two\nlines"],
    "SHOP_TRUSTED_HOSTS": ["https://inner.example", "inner.example/healthz", "in ner.example", "10.0.0.0/8"],
    "SHOP_GOODS_URL": ["goods", "s3://", "s3://Bucket", "https://s3.example/bucket", "s3://b/a b"],
    "SHOP_GOODS_ENDPOINT": ["http://s3.example", "https://u:p@s3.example", "https://s3.example/bucket"],
    "SHOP_GOODS_REGION": ["eu central", "EU"],
    "SHOP_NAME": ["x" * 61],
    "SHOP_PUBLIC_URL": [
        "http://shop.example", "https://shop.example/shop", "https://", "https://shop example",
        "https://user:password@shop.example", "https://shop.example:port", "https://shop.example?a=b",
        "https://shop.example#top", "https://[::1", "https://[1::2::3]", "https://[::1%eth0]", "https://-.рф",
        "https://shop.example:0", "https://shop.example:65536", "https://" + 64 * "x" + ".example", "ftp://shop.example",
        "javascript:alert(1)", "https://shop..example", "https://shop.example:",
    ],
    "SHOP_SUPPORT_EMAIL": ["help", "Help <help@shop.example>", "a@b.example, c@d.example", "a@b\nc: d",
                           "помощь@shop.example", "help@shop.example\u200b", "help@shop..example", "help@-.рф",
                           "help@[127.0.0.1]", "@shop.example"],
    "SHOP_ALERT_EMAIL": ["help", "Help <help@shop.example>"],
    "SHOP_BASE_CURRENCY": ["usd", "BTC", "JPY"],
    "SHOP_CURRENCIES": ["USD,BTC", "usd", ","],
    "SHOP_LANGUAGES": ["en,de", "EN", "english", ","],
    "SHOP_RATE_MAX_AGE_DAYS": ["0", "-1", "a month", "1e9", "4000"],
    "SHOP_LATE_PAYMENT_HOURS": ["-1", "8761", "a week"],
    "SHOP_RETENTION_DAYS": ["-1", "36501", "two years"],
    "SHOP_UNPAID_ORDERS": ["0", "-1", "many", "1000001"],
    "SHOP_UNPAID_SHARE": ["0", "101", "50%"],
    "SHOP_LOGO": ["../logo.svg", "logo.gif", "a/logo.png", "logo"],
    "SHOP_ACCENT": ["red", "#abc", "0d5c63", "#0d5c6g", "#7fb3b6", "#ffffff"],
    "SHOP_FOOTER_LINKS": ["Blog", "=https://blog.example", "Blog=blog.example", "Blog=javascript:alert(1)",
                          "Blog=//blog.example", "A=https://a.example,B="],
    "SHOP_FAILPOINTS": ["after_call"],
    "SHOP_FORMER_HOSTS": ["https://old.example", "old.example/shop", "old example", "SHOP.example"],
    "SHOP_TRUSTED_PROXIES": ["-1", "6", "one", "1.5"],
    "SHOP_DEVELOPMENT": ["perhaps"],
    "SMTP_URL": ["mail.example", "http://mail.example", "smtp://", "smtp://u:pa/ss@mail.example",
                 "smtp://mail.example:port", "smtps://[::1"],
    "SHOP_MAIL_FROM": ["shop", "Shop <shop@shop.example>"],
    "QUEUE_URL": ["amqp://queue.example", "queue.db", "sqlite:///queue.db"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values]
)
def test_a_malformed_setting_is_named_alone(no_dotenv: Path, name: str, value: str) -> None:
    found = problems(NEEDED | {name: value}, no_dotenv)

    assert named(found) == {name}
    assert len(found[0]) < 140


def test_only_these_settings_may_hold_anything() -> None:
    free = {
        "SHOP_DATA_DIR", "SHOP_BACKUP_DIR", "CRYPTOCLOUD_PREVIOUS_SECRET_KEY",
    }  # fmt: skip

    assert set(MALFORMED) | free == set(NAMES)


def test_every_malformed_setting_is_named_at_once_with_the_missing_ones(no_dotenv: Path) -> None:
    wrong = {name: values[0] for name, values in MALFORMED.items() if name != "SHOP_DEVELOPMENT"}

    found = problems(wrong, no_dotenv)

    assert named(found) == {*wrong, "CRYPTOCLOUD_SHOP_ID", "CRYPTOCLOUD_SECRET_KEY"}


def test_the_message_is_a_list_to_work_through(no_dotenv: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(NEEDED | {"SECRET_KEY": "", "SHOP_TRUSTED_PROXIES": "9"}, no_dotenv)

    assert str(error.value).splitlines() == [
        "The shop cannot start until these settings are right:",
        "  - SECRET_KEY is missing",
        "  - SHOP_TRUSTED_PROXIES input should be less than or equal to 5",
    ]


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "CRYPTOCLOUD_API_KEY", "CRYPTOCLOUD_SHOP_ID", "CRYPTOCLOUD_SECRET_KEY"]
)
def test_production_refuses_the_published_development_values(no_dotenv: Path, name: str) -> None:
    found = problems(
        NEEDED
        | {name: SANDBOX[name.lower()]}
        | {
            "CRYPTOCLOUD_API_URL": "https://api.example",
            "CRYPTOCLOUD_PAY_HOSTS": "pay.example",
        },
        no_dotenv,
    )

    assert found == [f"{name} is a published development value: use one of your own"]


def test_development_needs_nothing_and_talks_to_the_sandbox(no_dotenv: Path) -> None:
    settings = load({"SHOP_DEVELOPMENT": "1"}, no_dotenv)

    assert settings.development
    assert settings.cryptocloud_api_url == "http://127.0.0.1:5001"
    assert settings.cryptocloud_pay_hosts == ("http://127.0.0.1:5001", "http://localhost:5001")
    assert settings.cryptocloud_shop_id == SANDBOX["cryptocloud_shop_id"]
    assert settings.shop_public_url == "http://127.0.0.1:8000"
    assert not settings.secure


def test_development_with_a_key_of_its_own_talks_to_the_provider(no_dotenv: Path) -> None:
    settings = load(NEEDED | {"SHOP_DEVELOPMENT": "1"}, no_dotenv)

    assert settings.cryptocloud_api_url == "https://api.cryptocloud.plus"
    assert settings.cryptocloud_pay_hosts == (
        "https://pay.trybit.com",
        "https://pay.cryptocloud.plus",
    )


@pytest.mark.parametrize("value", ["0", "false", "no", "off"])
def test_development_can_be_switched_off_in_words(no_dotenv: Path, value: str) -> None:
    assert not load(NEEDED | {"SHOP_DEVELOPMENT": value}, no_dotenv).development


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        ("https://магазин.рф", "https://xn--80aairftm.xn--p1ai"),
        ("https://МАГАЗИН.рф:8443/", "https://xn--80aairftm.xn--p1ai:8443"),
        ("straße.de", "https://xn--strae-oqa.de"),
    ],
)
def test_an_address_is_kept_as_browsers_write_an_origin(
    no_dotenv: Path, given: str, origin: str
) -> None:
    settings = load(NEEDED | {"SHOP_PUBLIC_URL": given, "CRYPTOCLOUD_PAY_HOSTS": given}, no_dotenv)

    assert settings.shop_public_url == origin
    assert settings.cryptocloud_pay_hosts == (origin,)


def test_lists_are_separated_by_commas(no_dotenv: Path) -> None:
    settings = load(
        NEEDED
        | {
            "CRYPTOCLOUD_PAY_HOSTS": "pay.example, https://pay2.example:8443 ,",
            "SHOP_TRUSTED_HOSTS": "10.0.0.7,health.example",
            "SHOP_CURRENCIES": "EUR,GBP",
        },
        no_dotenv,
    )

    assert settings.cryptocloud_pay_hosts == ("https://pay.example", "https://pay2.example:8443")
    assert settings.pay_hosts == ["pay.example", "pay2.example:8443"]
    assert settings.shop_trusted_hosts == ("10.0.0.7", "health.example")
    assert settings.shop_currencies == ("USD", "EUR", "GBP")  # the base currency is always one


@pytest.mark.parametrize("name", NAMES)
def test_any_setting_may_stand_in_a_file(no_dotenv: Path, tmp_path: Path, name: str) -> None:
    value = {
        **NEEDED, **SECRETS, "SHOP_NAME": "From a file", "SHOP_DEVELOPMENT": "0",
        "SHOP_BASE_CURRENCY": "EUR", "SHOP_CURRENCIES": "EUR,USD", "SHOP_DATA_DIR": str(tmp_path),
        "SHOP_LANGUAGES": "uk,en", "SHOP_RETENTION_DAYS": "0", "SHOP_UNPAID_ORDERS": "3",
        "SHOP_UNPAID_SHARE": "100", "SHOP_LOGO": "our-logo.png", "SHOP_ACCENT": "#1D4ED8",
        "SHOP_FOOTER_LINKS": "Blog=https://blog.example, News=/news",
        "SHOP_FORMER_HOSTS": "old.example", "SHOP_TRUSTED_HOSTS": "inner.example",
        "SHOP_RATE_MAX_AGE_DAYS": "7", "SHOP_TRUSTED_PROXIES": "1", "CRYPTOCLOUD_SEND_EMAIL": "0",
        "CRYPTOCLOUD_API_VERSION": "1", "CRYPTOCLOUD_INVOICE_HOURS": "24",
        "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL": "2027-01-31T12:00:00Z",
        "SECRET_KEY_PREVIOUS": "p" * 40, "SECRET_KEY_PREVIOUS_UNTIL": "2027-01-31T12:00:00Z",
        "SHOP_LATE_PAYMENT_HOURS": "24", "SHOP_FAILPOINTS": "", "CRYPTOCLOUD_API_URL": "https://api.example",
        "CRYPTOCLOUD_PAY_HOSTS": "pay.example",
        "SHOP_GOODS_URL": "", "SHOP_GOODS_ENDPOINT": "https://s3.example", "SHOP_GOODS_REGION": "eu-west-1",
    }.get(name, "file@shop.example")  # fmt: skip
    (tmp_path / "value").write_text(f"{value}\n")
    others = NEEDED | {
        "CRYPTOCLOUD_PREVIOUS_SECRET_KEY": "the-one-before",
        "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL": "2027-02-01T00:00:00Z",
        "SECRET_KEY_PREVIOUS": "o" * 40,
        "SECRET_KEY_PREVIOUS_UNTIL": "2027-02-01T00:00:00Z",
    }
    direct = others | {name: value}
    by_file = {n: v for n, v in others.items() if n != name} | {f"{name}_FILE": f"{tmp_path}/value"}

    assert load(by_file, no_dotenv) == load(direct, no_dotenv)


def test_a_previous_key_of_the_shop_needs_an_end_and_the_length_of_a_key(no_dotenv: Path) -> None:
    found = problems(NEEDED | {"SECRET_KEY_PREVIOUS": "the-old-one"}, no_dotenv)

    assert found == [
        "SECRET_KEY_PREVIOUS is too short: use at least 32 random characters",
    ]
    assert problems(NEEDED | {"SECRET_KEY_PREVIOUS": "o" * 40}, no_dotenv) == [
        "SECRET_KEY_PREVIOUS_UNTIL is missing: say when the previous secret key ends"
    ]


def test_a_previous_secret_needs_an_end(no_dotenv: Path) -> None:
    found = problems(NEEDED | {"CRYPTOCLOUD_PREVIOUS_SECRET_KEY": "the-old-one"}, no_dotenv)

    assert found == [
        "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL is missing: say when the previous secret key ends"
    ]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            {"SHOP_RETENTION_DAYS": "3"},
            "SHOP_RETENTION_DAYS must be 4 or more (or 0) while SHOP_LATE_PAYMENT_HOURS is 72: money that "
            "comes so late needs its buyer's address. Raise the one or lower the other",
        ),
        (
            {
                "CRYPTOCLOUD_API_VERSION": "2",
                "CRYPTOCLOUD_INVOICE_HOURS": "49",
                "SHOP_RATE_MAX_AGE_DAYS": "2",
            },
            "SHOP_RATE_MAX_AGE_DAYS must be 3 or more while CRYPTOCLOUD_INVOICE_HOURS is 49: an invoice "
            "could still be paid at a rate that is too old. Raise the one or lower the other",
        ),
        (
            {"CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL": "2027-02-01T00:00:00Z"},
            "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL is set and CRYPTOCLOUD_PREVIOUS_SECRET_KEY is not: set "
            "both, or remove this one",
        ),
        (
            {
                "CRYPTOCLOUD_PREVIOUS_SECRET_KEY": NEEDED["CRYPTOCLOUD_SECRET_KEY"],
                "CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL": "2027-02-01T00:00:00Z",
            },
            "CRYPTOCLOUD_PREVIOUS_SECRET_KEY is the same as CRYPTOCLOUD_SECRET_KEY: give the one before "
            "it, or remove this one",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_both_names(
    no_dotenv: Path, given: dict[str, str], found: str
) -> None:
    assert problems(NEEDED | given, no_dotenv)[:1] == [found]


@pytest.mark.parametrize(
    ("late", "days"), [("72", "4"), ("72", "0"), ("0", "1"), ("24", "2"), ("8760", "366")]
)
def test_an_address_may_be_erased_once_no_late_money_is_looked_for(
    no_dotenv: Path, late: str, days: str
) -> None:
    given = {"SHOP_LATE_PAYMENT_HOURS": late, "SHOP_RETENTION_DAYS": days}

    assert load(NEEDED | given, no_dotenv).shop_retention_days == int(days)


def test_a_bucket_needs_its_key_and_the_extra(
    no_dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = NEEDED | {"SHOP_GOODS_URL": "s3://for-sale/goods"}
    monkeypatch.setattr("shop.config.rules.find_spec", lambda name: name)
    assert problems(given, no_dotenv) == [
        "SHOP_GOODS_KEY_ID is missing, and SHOP_GOODS_URL needs it",
        "SHOP_GOODS_SECRET_KEY is missing, and SHOP_GOODS_URL needs it",
    ]

    monkeypatch.setattr("shop.config.rules.find_spec", lambda name: None)
    (problem, *_) = problems(given, no_dotenv)
    assert problem == "SHOP_GOODS_URL needs the extra: pip install -c constraints.txt -e '.[s3]'"


def test_another_life_of_invoices_needs_version_2(no_dotenv: Path) -> None:
    given = NEEDED | {"CRYPTOCLOUD_API_VERSION": "2", "CRYPTOCLOUD_INVOICE_HOURS": "2"}

    assert load(given, no_dotenv).invoice_life == timedelta(hours=2)


def test_failpoints_are_for_development(no_dotenv: Path) -> None:
    armed = load({"SHOP_DEVELOPMENT": "1", "SHOP_FAILPOINTS": "after_call=0.5"}, no_dotenv)

    assert armed.shop_failpoints == "after_call=0.5"


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(
    no_dotenv: Path, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    given = {
        **NEEDED,
        "SHOP_NAME_FILE": str(tmp_path / "nowhere"),
        "SMTP_URL_FILE": str(tmp_path / "binary"),
        "QUEUE_URL_FILE": "\x00",
        "SHOP_TRUSTED_PROXIES": "9",
    }

    assert problems(given, no_dotenv) == [
        "SHOP_NAME_FILE names a file that cannot be read: No such file or directory",
        "SMTP_URL_FILE names a file that is not text",
        "QUEUE_URL_FILE names a file that is not text",
        "SHOP_TRUSTED_PROXIES input should be less than or equal to 5",
    ]


def test_the_environment_stands_above_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# a comment\n"
        + "".join(f"{name}={value}\n" for name, value in NEEDED.items())
        + 'SHOP_NAME="From the file"\nSHOP_SUPPORT_EMAIL=file@shop.example\n'
    )

    settings = load({"SHOP_NAME": "From the environment"}, dotenv)

    assert settings.shop_name == "From the environment"
    assert settings.shop_support_email == "file@shop.example"


def test_the_process_s_own_environment_is_read_where_none_is_given(
    no_dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHOP_NAME", "From the process")

    assert load(dotenv=no_dotenv).shop_name == "From the process"


def test_settings_do_not_change(no_dotenv: Path) -> None:
    settings = load(NEEDED, no_dotenv)

    with pytest.raises(ValidationError):
        settings.shop_name = "Another"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Settings.model_validate({**settings.model_dump(), "shop_nam": "x"})


def test_no_secret_is_ever_printed(no_dotenv: Path) -> None:
    settings = load({**NEEDED, **SECRETS}, no_dotenv)

    for text in (repr(settings), str(settings), f"{settings}", repr(settings.__rich_repr__)):
        assert "canary" not in text
    assert {name.upper() for name, value in settings if isinstance(value, SecretStr)} == {
        "SECRET_KEY", "SECRET_KEY_PREVIOUS", "CRYPTOCLOUD_API_KEY", "CRYPTOCLOUD_SECRET_KEY",
        "CRYPTOCLOUD_PREVIOUS_SECRET_KEY", "SHOP_GOODS_SECRET_KEY", "SMTP_URL",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "canary"),
        ("CRYPTOCLOUD_API_KEY", "canary canary"),
        ("SMTP_URL", "smtp://u:can/canary@mail.example"),
        ("SMTP_URL", "smtp://u:canary@[mail.example"),
        ("DATABASE_URL", "postgresql://u:canary@db.example:canary/shop"),
        ("DATABASE_URL", "canary"),
        ("QUEUE_URL", "amqp://u:canary@queue.example"),
        ("SHOP_PUBLIC_URL", "https://u:canary@shop.example"),
        ("CRYPTOCLOUD_API_URL", "https://canary@api.example"),
        ("SHOP_TRUSTED_PROXIES", "canary"),
    ],
)
def test_no_problem_repeats_the_value(no_dotenv: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(NEEDED | {name: value}, no_dotenv)

    assert "can" not in str(error.value).replace("cannot", "")
    with pytest.raises(ValidationError) as bare:
        Settings.model_validate({n.lower(): v for n, v in (NEEDED | {name: value}).items()})
    assert "canary" not in str(bare.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@db.example/shop", "postgresql+psycopg://u:p@db.example/shop"),
        ("postgresql://u:p@db.example/shop", "postgresql+psycopg://u:p@db.example/shop"),
        ("postgresql+psycopg://db.example/shop", "postgresql+psycopg://db.example/shop"),
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
    ],
)
def test_old_spellings_of_a_database_address_are_understood(
    no_dotenv: Path, given: str, used: str
) -> None:
    assert load(NEEDED | {"DATABASE_URL": given}, no_dotenv).database == used


def test_everything_is_kept_in_the_data_folder_where_nothing_else_is_said(
    no_dotenv: Path, tmp_path: Path
) -> None:
    settings = load(NEEDED | {"SHOP_DATA_DIR": f"{tmp_path}/a/../b"}, no_dotenv)

    assert settings.shop_data_dir == tmp_path / "b"
    assert settings.database == f"sqlite:///{tmp_path}/b/shop.db"
    assert load(NEEDED, no_dotenv).shop_data_dir == ROOT / "instance"


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ({"SHOP_MAIL_FROM": "a@shop.example", "SHOP_SUPPORT_EMAIL": "b@shop.example"}, "a@shop.example"),
        ({"SHOP_SUPPORT_EMAIL": "b@shop.example"}, "b@shop.example"),
        ({}, "shop@shop.example"),
        ({"SHOP_PUBLIC_URL": "https://[::1]:8443"}, "shop@localhost"),
    ],
)  # fmt: skip
def test_mails_have_a_sender(no_dotenv: Path, given: dict[str, str], sender: str) -> None:
    assert load(NEEDED | given, no_dotenv).mail_from == sender


def test_an_address_is_shown_as_it_was_typed(no_dotenv: Path) -> None:
    given = NEEDED | {"SHOP_SUPPORT_EMAIL": "info@магазин.рф"}

    assert load(given, no_dotenv).shop_support_email == "info@магазин.рф"


def test_further_hosts_are_kept_as_browsers_send_them(no_dotenv: Path) -> None:
    given = "Inner.Example:8000, магазин.рф, ::1, [fe80:0::1], .shop.example, 10.0.0.7"

    assert load(NEEDED | {"SHOP_TRUSTED_HOSTS": given}, no_dotenv).shop_trusted_hosts == (
        "inner.example", "xn--80aairftm.xn--p1ai", "[::1]", "[fe80::1]", ".shop.example", "10.0.0.7",
    )  # fmt: skip


def test_a_database_whose_driver_is_not_installed_names_the_extra(
    no_dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.config.rules.find_spec", lambda _: None)

    (problem,) = problems(NEEDED | {"DATABASE_URL": "postgresql://db.example/shop"}, no_dotenv)

    assert (
        problem == "DATABASE_URL needs the extra: pip install -c constraints.txt -e '.[postgres]'"
    )


def test_names_that_look_like_settings_and_are_none_are_found() -> None:
    environ = {
        **NEEDED, "SHOP_NAME_FILE": "x", "SHOP_CURENCIES": "USD", "CRYPTOCLOUD_KEY": "x",
        "SHOPPING": "x", "PATH": "x", "DATABASE_URI": "x", "shop_name": "x",
    }  # fmt: skip

    assert unknown_names(environ) == ["CRYPTOCLOUD_KEY", "SHOP_CURENCIES"]


def table() -> list[tuple[str, str, str]]:
    """The rows of docs/settings.md that begin with the name of a setting: name, default, description."""
    text = (ROOT / "docs/settings.md").read_text("utf-8").partition("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z][A-Z_]+)` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [(name, default.strip("`"), description) for name, default, description in rows]


def documented(name: str) -> tuple[str, str, str]:
    """The row that docs/settings.md should have for a setting. Make the whole table with
    `python -m tests.test_config`."""
    field = Settings.model_fields[name.lower()]
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = ",".join(default)
    if isinstance(default, bool):
        default = int(default)
    if isinstance(default, Path):
        default = default.relative_to(ROOT)
    return (
        name,
        "" if default is None else str(default),
        (field.description or "").replace("|", r"\|"),
    )


def test_the_documents_have_a_row_for_every_setting_as_the_code_describes_it() -> None:
    assert table() == [documented(name) for name in SHOWN]


def test_the_documents_have_a_row_for_every_setting_of_the_web_server() -> None:
    own = (ROOT / "docs/settings.md").read_text("utf-8").partition("\n## ")[2]
    server = (ROOT / "gunicorn.conf.py").read_text("utf-8")

    rows = re.findall(r"^\| `([A-Z_]+)` \| `(.*?)` \|", own, re.MULTILINE)
    assert sorted(rows) == sorted(re.findall(r'environ\.get\("([A-Z_]+)", "(.*?)"\)', server))


EXAMPLE = re.compile(r"^((?:# .*\n)+?)(# )?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)
"""A comment that describes, then `NAME=` where it must be filled in, or `# NAME=default`."""


def test_the_example_file_describes_every_setting_and_leaves_open_what_must_be_filled_in() -> None:
    found = EXAMPLE.findall((ROOT / ".env.example").read_text("utf-8"))

    assert [(name, plain(comment)) for comment, _, name, _ in found] == [
        (name, plain(description)) for name, _, description in map(documented, SHOWN)
    ]
    assert {name for _, commented, name, _ in found if not commented} == set(NEEDED)
    assert all(default == documented(name)[1] for _, hash, name, default in found if hash)


def plain(text: str) -> str:
    """Without the marks of comments and of Markdown, and however its lines are broken."""
    return " ".join(re.sub(r"^# |`", "", text, flags=re.MULTILINE).split())


def test_the_example_file_holds_no_secret_and_is_a_shop_that_starts(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    (tmp_path / ".env").write_text(text)

    settings = load({"SHOP_DEVELOPMENT": "1"}, tmp_path / ".env")

    for name, value in settings:
        if isinstance(value, SecretStr):
            assert value.get_secret_value() in ("", *SANDBOX.values()), name


def print_table() -> None:
    rows = [documented(name) for name in SHOWN]
    lines = ["| Setting | Default | What it is |", "|---|---|---|"]
    for name, default, description in rows:
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{name}` | {shown} | {description} |")
    print("\n".join(lines))  # noqa: T201 - that is what it is for


if __name__ == "__main__":
    print_table()
