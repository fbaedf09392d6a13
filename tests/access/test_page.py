"""The pages of an app with access keys, in a browser: it asks for the key once, and keeps it in the tab alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest
from axe_core_python.selenium import Axe
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from sklearn.linear_model import LinearRegression

from mldeploy.config.access_keys import AccessKey
from tests.access.server import keyed_server
from tests.browser import start_browser
from tests.image.server_process import ServerProcess
from tests.model_server.serving import describe, write_schemas

EXAMPLE = Path(__file__).parents[2] / "example_app"
KEY = AccessKey.make("default")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with start_browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The example's app, as its image serves it."""
    folder = tmp_path_factory.mktemp("example")
    subprocess.run([sys.executable, EXAMPLE / "train.py", "--output", folder], check=True, capture_output=True)
    app = f"""\
import os, sys
sys.path.insert(0, {str(EXAMPLE)!r})
os.environ["MODEL_PATH"] = {str(folder / "model.joblib")!r}
os.environ["PROMETHEUS_MULTIPROC_DIR"] = {str(tmp_path_factory.mktemp("metrics"))!r}
from app import app as wsgi
"""
    with keyed_server(tmp_path_factory.mktemp("server"), "wsgi", KEY, app=app) as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A model without an app, as its image serves it."""
    folder = tmp_path_factory.mktemp("model")
    rows = pd.DataFrame({"age": [20, 30, 40, 50], "bmi": [20.0, 25.0, 31.0, 28.0], "charges": [1.0, 2.0, 3.0, 4.0]})
    joblib.dump(LinearRegression().fit(rows[["age", "bmi"]], rows.charges), folder / "charges.joblib")
    rows.to_csv(folder / "charges.csv", index=False)
    described = write_schemas(folder, [describe(folder, "charges.joblib", "charges.csv")])
    app = f"""\
import os
os.environ["MLDEPLOY_MODELS"] = {str(described)!r}
from mldeploy_model.server import app as wsgi
"""
    with keyed_server(tmp_path_factory.mktemp("server"), "wsgi", KEY, app=app) as running:
        yield running


def show(driver: Chrome, server: ServerProcess, path: str = "/") -> None:
    """Open a page in a tab of its own, which knows no key."""
    driver.switch_to.new_window("tab")
    driver.get(f"http://127.0.0.1:{server.port}{path}")


def enter(driver: Chrome, key: str) -> None:
    field = driver.find_element(By.ID, "key")
    field.clear()
    field.send_keys(key)
    driver.find_element(By.CSS_SELECTOR, "#mldeploy-access button").click()


def seen(driver: Chrome, selector: str) -> str:
    """The text of what the app's page shows there, once it does; a new page is a new frame."""

    def text(current: Chrome) -> str:
        current.switch_to.default_content()
        current.switch_to.frame(current.find_element(By.TAG_NAME, "iframe"))
        return current.find_element(By.CSS_SELECTOR, selector).text

    return WebDriverWait(driver, 300, ignored_exceptions=[WebDriverException]).until(text)


def alert(driver: Chrome) -> str:
    return WebDriverWait(driver, 300).until(lambda current: current.find_element(By.CSS_SELECTOR, "[role=alert]").text)


def test_the_examples_form_works_once_the_key_was_entered(chrome: Chrome, example: ServerProcess) -> None:
    show(chrome, example)
    assert Axe().run(chrome)["violations"] == []
    enter(chrome, "mldk_wrong")
    assert alert(chrome) == "This key is not valid."
    enter(chrome, KEY.value.reveal())
    title = seen(chrome, "h1")
    enter_example(chrome, age="40")
    first = seen(chrome, "#answer .charge")
    chrome.execute_script("document.querySelector('[name=age]').scrollIntoView()")
    enter_example(chrome, age="60")
    WebDriverWait(chrome, 300).until(lambda current: seen(current, "#answer .charge") != first)
    assert seen(chrome, "h1") == title
    chrome.switch_to.default_content()
    chrome.refresh()
    assert seen(chrome, "h1") == title, "the tab keeps the key"
    chrome.switch_to.default_content()
    assert chrome.get_cookies() == []
    assert chrome.execute_script("return localStorage.length") == 0


def enter_example(driver: Chrome, age: str) -> None:
    """Fill the form in and send it, as the example's users do."""
    driver.execute_script(
        """for (const each of document.forms[0].elements) {
             if (each.tagName === 'SELECT') each.selectedIndex = Math.max(1, each.selectedIndex);
             else if (each.type === 'radio') each.checked = true;
             else if (each.name && each.type !== 'hidden') each.value = each.name === 'age' ? arguments[0] : '2';
           }
           const bmi = document.forms[0].elements.bmi; if (bmi) bmi.value = '28';
           document.forms[0].querySelector('button').click();""",
        age,
    )


def test_another_tab_asks_again_and_a_page_is_nowhere_without_the_key(chrome: Chrome, example: ServerProcess) -> None:
    show(chrome, example)
    assert chrome.find_element(By.ID, "key").is_displayed()
    assert chrome.find_elements(By.TAG_NAME, "iframe") == []
    assert "Estimate" not in chrome.page_source


def test_a_models_form_and_documentation_work_with_the_key(chrome: Chrome, model: ServerProcess) -> None:
    show(chrome, model, "/?example")
    enter(chrome, KEY.value.reveal())
    assert seen(chrome, "h1")
    chrome.find_element(By.CSS_SELECTOR, "button").click()
    assert float(seen(chrome, ".value"))
    chrome.switch_to.default_content()
    chrome.get(f"http://127.0.0.1:{model.port}/docs")
    assert seen(chrome, "form[data-path]")
    chrome.find_element(By.CSS_SELECTOR, "form[data-path] button").click()
    assert WebDriverWait(chrome, 300).until(
        lambda current: current.find_element(By.CSS_SELECTOR, "form[data-path] output").text.startswith("200 ")
    )
