"""Settings come from the environment, and an override wins."""

import pytest

from shop.sandbox import create_app
from shop.sandbox.settings import Settings


def test_every_text_setting_can_be_given_in_the_environment() -> None:
    environment = {
        "SANDBOX_API_KEY": "k",
        "SANDBOX_SHOP_ID": "s",
        "SANDBOX_SECRET_KEY": "x",
        "SANDBOX_NOTIFICATION_URL": "http://shop.test/n",
        "SANDBOX_SUCCESS_URL": "http://shop.test/s",
        "SANDBOX_FAIL_URL": "http://shop.test/f",
        "SANDBOX_POSTBACK_FORMAT": "json",
        "SANDBOX_BRAND": "cryptocloud",
        "SANDBOX_PUBLIC_URL": "http://pay.test",
        "SANDBOX_TRYBIT_URL": "http://trybit.test",
    }

    settings = Settings.from_environment(environment)

    assert {name: getattr(settings, name[8:].lower()) for name in environment} == environment


def test_an_empty_setting_is_its_default() -> None:
    assert Settings.from_environment({"SANDBOX_API_KEY": ""}) == Settings()


@pytest.mark.parametrize("name", ["SANDBOX_POSTBACK_FORMAT", "SANDBOX_BRAND"])
def test_a_setting_that_is_not_one_of_its_words_stops_the_start(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        Settings.from_environment({name: "xml"})


def test_an_override_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_SHOP_ID", "FROMENVIRONMENT1")

    app = create_app(shop_id="FROMTHETEST00001")

    assert app.extensions["sandbox"].settings.shop_id == "FROMTHETEST00001"
