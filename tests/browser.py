"""A headless Chromium for a test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


@contextmanager
def start_browser() -> Iterator[webdriver.Chrome]:
    """`make browser` installs it."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = _start(options)
    try:
        yield driver
    finally:
        driver.quit()


def _start(options: Options) -> webdriver.Chrome:
    """Chromedriver gives Chromium a minute to start, which a busy machine may not be able to keep to."""
    for _ in range(4):
        with suppress(SessionNotCreatedException):
            return webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    return webdriver.Chrome(options, Service(shutil.which("chromedriver")))
