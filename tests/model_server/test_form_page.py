"""The form of a model as people meet it: in a browser, by keyboard, on a phone, in the dark, by a screen reader."""

from collections.abc import Iterator

import pytest
import requests
from axe_core_python.selenium import Axe
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import start_browser
from tests.model_server.serving import ModelServer

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
FORM = {"age": "40", "bmi": "28.5", "smoker": "no", "region": "west"}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with start_browser() as driver:
        yield driver


def send(server: ModelServer, **changes: str) -> requests.Response:
    return requests.post(f"{server.url}/", data={**FORM, **changes}, timeout=300)


def text(driver: Chrome, selector: str) -> str:
    return driver.find_element(By.CSS_SELECTOR, selector).text


def wait_for_value(driver: Chrome, above: float = float("-inf")) -> str:
    """The prediction, once there is one above another: while somebody types, there are those of unfinished words."""

    def value(current: Chrome) -> str:
        shown = [element.text for element in current.find_elements(By.CSS_SELECTOR, ".value")]
        return shown[0] if shown and (above == float("-inf") or float(shown[0]) > above) else ""

    return WebDriverWait(driver, 300, ignored_exceptions=[StaleElementReferenceException]).until(value)


def test_the_form_is_filled_in_and_sent_by_keyboard_alone(chrome: Chrome, model_server: ModelServer) -> None:
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", DESKTOP)
    chrome.get(model_server.url)
    to_age, choose = (Keys.TAB, Keys.TAB, Keys.TAB), (Keys.TAB, Keys.SPACE)
    for keys in (*to_age, "40", Keys.TAB, "28.5", *choose, *choose, Keys.ENTER):
        chrome.switch_to.active_element.send_keys(keys)
    value = wait_for_value(chrome)
    row = {"age": 40, "bmi": 28.5, "smoker": "no", "region": "north"}
    assert value == f"{model_server.post(row).json()['prediction']:.6g}"
    first, *_ = (element.text for element in chrome.find_elements(By.CSS_SELECTOR, ".bars li"))
    assert first.startswith("smoker: no")
    chrome.find_element(By.ID, "field-age").send_keys(Keys.CONTROL + "a" + Keys.NULL, "60")
    wait_for_value(chrome, above=float(value))


def test_the_page_fits_a_phone_and_has_no_accessibility_problem(chrome: Chrome, model_server: ModelServer) -> None:
    for path in ("/?example", "/models/smokes/?example", "/docs"):
        for scheme in ("light", "dark"):
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            chrome.get(f"{model_server.url}{path}")
            if path != "/docs":
                chrome.find_element(By.CSS_SELECTOR, "button").click()
                wait_for_value(chrome)
            assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360
            assert Axe().run(chrome)["violations"] == []
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert chrome.get_log("browser") == []


def test_a_wrong_field_is_named_and_keeps_what_was_typed(model_server: ModelServer) -> None:
    page = send(model_server, age="forty", region="")
    assert page.status_code == 400
    assert "a whole number is needed, not &quot;forty&quot;" in page.text
    assert 'value="forty"' in page.text
    assert '<a href="#field-region">region: choose one</a>' in page.text
    assert "Fill in an example" in page.text


def test_a_value_out_of_bounds_has_its_warning_beside_the_prediction(model_server: ModelServer) -> None:
    page = send(model_server, age="99")
    assert page.status_code == 200
    assert "99 is outside of the range that the model knows, 18 to 64" in page.text


def test_what_is_typed_is_shown_as_text(model_server: ModelServer) -> None:
    page = send(model_server, age='"><script>alert(1)</script>')
    assert "<script>alert" not in page.text


def test_the_page_of_a_classification_shows_the_probabilities(model_server: ModelServer) -> None:
    data = {"age": "40", "charges": "40000"}
    page = requests.post(f"{model_server.url}/models/smokes/", data=data, timeout=300).text
    assert "<p class=value>yes</p>" in page
    assert "Probabilities" in page
    assert '<a href="../../models/charges/">' in page


def test_the_policy_of_a_page_allows_nothing_from_elsewhere(model_server: ModelServer) -> None:
    for path in ("/", "/docs"):
        answer = model_server.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "http://" not in answer.text.replace(model_server.url, "").replace("http://www.w3.org/2000/svg", "")
