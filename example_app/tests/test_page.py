"""The page as people meet it: in a real browser, by keyboard, on a phone, without JavaScript, by a screen reader."""

from collections.abc import Callable, Iterator

import pytest
from axe_core_python.selenium import Axe
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as until
from selenium.webdriver.support.wait import WebDriverWait
from served import Server

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
DESKTOP = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
Shown = Callable[[str], Chrome]


@pytest.fixture
def show(browser: Chrome, server: Server) -> Iterator[Shown]:
    """Open a path of the app in a desktop's window, and undo afterwards whatever the test changed in the browser."""

    def opened(path: str) -> Chrome:
        browser.get(f"{server.url}{path}")
        return browser

    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", DESKTOP)
    console(browser)
    yield opened
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def phone(show: Shown) -> Shown:
    """As `show`, on a phone of 360 by 740 pixels."""

    def opened(path: str) -> Chrome:
        driver = show(path)
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        return driver

    return opened


def submit(driver: Chrome) -> None:
    """Press the button and wait for the page that answers."""
    form = element(driver, "form")
    element(driver, "button").click()
    # While the page changes, the browser may not even know that the form is none of its own: it is asked again.
    WebDriverWait(driver, 30, ignored_exceptions=[WebDriverException]).until(until.staleness_of(form))


def element(driver: Chrome, selector: str) -> WebElement:
    return driver.find_element(By.CSS_SELECTOR, selector)


def console(driver: Chrome) -> list[object]:
    """What the browser's console has said since it was last asked."""
    said: list[object] = driver.get_log("browser")
    return said


def text(driver: Chrome, selector: str) -> str:
    return element(driver, selector).text


def fill(driver: Chrome, name: str, value: str) -> None:
    """Type over what is in a field."""
    element(driver, f"#{name}").send_keys(Keys.CONTROL + "a" + Keys.NULL, value or Keys.BACKSPACE)


def test_the_form_is_filled_in_and_sent_by_keyboard_alone(show: Shown, server: Server) -> None:
    driver = show("/")

    def press(*keys: str) -> None:
        for key in keys:
            driver.switch_to.active_element.send_keys(key)

    press(Keys.TAB)  # the link to the example
    press(Keys.TAB, "42")
    press(Keys.TAB, Keys.SPACE)  # female, the first choice
    press(Keys.TAB, "27.4")
    press(Keys.TAB, "2")
    press(Keys.TAB, Keys.SPACE)  # no smoker
    press(Keys.TAB, "northw")
    form = element(driver, "form")
    press(Keys.TAB, Keys.ENTER)
    WebDriverWait(driver, 30).until(until.staleness_of(form))

    charge = server.predict(age=42, sex="female", bmi=27.4, children=2, smoker="no", region="northwest")
    assert text(driver, ".charge") == f"${charge.json()['prediction']:,.0f} a year"
    assert driver.switch_to.active_element == element(driver, "#answer-title")  # where a screen reader goes on
    assert element(driver, "#bmi").get_attribute("value") == "27.4"
    assert element(driver, "[name=smoker][value=no]").is_selected()


def test_an_error_is_said_at_its_field_and_summed_up_on_top(show: Shown) -> None:
    driver = show("/?example")
    fill(driver, "age", "17")
    submit(driver)
    assert driver.title.startswith("Error: ")
    assert driver.switch_to.active_element == element(driver, "[role=alert]")
    age = element(driver, "#age")
    assert age.get_attribute("aria-invalid") == "true"
    described = (age.get_attribute("aria-describedby") or "").split()
    assert text(driver, f"#{described[0]}") == "Age must be between 18 and 64 years"
    assert age.get_attribute("value") == "17"
    assert not driver.find_elements(By.CSS_SELECTOR, ".charge")
    element(driver, "[role=alert] a").click()
    assert driver.switch_to.active_element == age


def test_an_empty_form_names_every_field(show: Shown) -> None:
    driver = show("/")
    submit(driver)
    links = driver.find_elements(By.CSS_SELECTOR, "[role=alert] a")
    assert len(links) == 6
    for link in links:
        link.click()
        target = (link.get_attribute("href") or "").rpartition("#")[2]
        assert driver.switch_to.active_element.get_attribute("id") == target


def test_what_drives_the_charge_is_told_in_words_the_largest_first(show: Shown, server: Server) -> None:
    driver = show("/?example")
    element(driver, "[name=smoker][value=yes]").click()
    submit(driver)
    effects = [line.text.split("\n") for line in driver.find_elements(By.CSS_SELECTOR, ".effects li")]
    smoker, not_smoker = (server.predict(smoker=word).json()["prediction"] for word in ("yes", "no"))
    assert effects[0] == ["Smoker: yes", f"+${smoker - not_smoker:,.0f}", "instead of the typical no"]
    named = {line[0].partition(":")[0] for line in effects}
    assert named == {"Age", "Sex", "Body mass index", "Children", "Smoker", "Region"}


def test_a_value_beyond_the_training_data_is_pointed_out(show: Shown) -> None:
    driver = show("/?example")
    submit(driver)
    assert not driver.find_elements(By.CSS_SELECTOR, ".caution")
    fill(driver, "bmi", "54.9")
    submit(driver)
    assert "body mass index" in text(driver, ".caution")


def test_without_javascript_the_page_does_all_that_it_must(show: Shown) -> None:
    driver = show("/?example")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.refresh()
    submit(driver)
    before = text(driver, ".charge")
    fill(driver, "age", "64")
    submit(driver)
    assert text(driver, ".charge") != before


def test_once_there_is_an_estimate_it_follows_the_answers(show: Shown) -> None:
    driver = show("/?example")
    submit(driver)
    before = element(driver, ".charge")
    charge = before.text
    element(driver, "[name=smoker][value=yes]").click()
    WebDriverWait(driver, 30).until(until.staleness_of(before))
    after = text(driver, ".charge")
    assert after != charge
    assert element(driver, "[role=status]").get_attribute("textContent") == after
    fill(driver, "age", "")
    WebDriverWait(driver, 30).until(until.presence_of_element_located((By.CSS_SELECTOR, ".empty")))
    fill(driver, "age", "42")
    WebDriverWait(driver, 30).until(until.text_to_be_present_in_element((By.CSS_SELECTOR, "#answer"), after))


def in_every_state(driver: Chrome, show: Shown) -> Iterator[str]:
    """Lead the page through its states, naming each."""
    yield "empty"
    submit(driver)
    yield "refused"
    show("/?example")
    fill(driver, "bmi", "55")
    submit(driver)
    yield "answered"
    show("/nowhere")
    yield "not found"


def test_on_a_phone_the_answer_is_in_sight(phone: Shown) -> None:
    driver = phone("/?example")
    submit(driver)
    top = "return document.querySelector('.charge').getBoundingClientRect().top"
    assert 0 <= driver.execute_script(top) < PHONE["height"] * 0.8


def test_on_a_phone_nothing_scrolls_sideways_and_everything_can_be_hit(phone: Shown) -> None:
    driver = phone("/")
    for state in in_every_state(driver, phone):
        assert driver.execute_script("return window.innerWidth") == 360
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360, state
        for target in driver.find_elements(By.CSS_SELECTOR, "input[type=number], select, button, .option"):
            assert target.size["height"] >= 44, state


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("screen", ["show", "phone"])
def test_no_barrier_is_found(colours: str, screen: str, request: pytest.FixtureRequest) -> None:
    """What a program can check of WCAG 2.1 AA: labels, names, contrast, structure, language."""
    opened: Shown = request.getfixturevalue(screen)
    driver = opened("/")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": colours}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    for state in in_every_state(driver, opened):
        violations = Axe().run(driver)["violations"]
        assert not violations, f"{state}: {[(violation['id'], violation['nodes']) for violation in violations]}"


def test_the_focus_is_seen(show: Shown) -> None:
    driver = show("/?example")
    for selector in ("#age", "#region", "button"):
        driver.execute_script("document.activeElement.blur()")
        element(driver, selector).send_keys(Keys.NULL)
        assert element(driver, selector).value_of_css_property("outline-style") == "solid"


def test_nothing_comes_from_elsewhere_and_the_console_stays_quiet(show: Shown, server: Server) -> None:
    driver = show("/?example")
    submit(driver)
    loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    names = driver.execute_script(loaded)
    assert {name.rpartition("/")[2] for name in names} >= {"style.css", "live.js"}
    assert all(name.startswith(f"{server.url}/") for name in names)
    assert console(driver) == []
