"""A real browser without a screen, which reaches this machine only; fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.machine.debian import MissingPackageError, ensure_debian_package
from tests.machine.host_toolchains import miss

# Root has no sandbox, containers have a small /dev/shm, and nothing of the browser's own may call home.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--force-color-profile=srgb",
    "--lang=en-GB",
)


PICTURES = Path(__file__).parents[2] / "docs" / "images"
WIDTH, HEIGHT = 1400, 1000


@dataclass(frozen=True)
class Page:
    """What a person does with the open page: see, press, fill in; each waits until the page is that far."""

    browser: Chrome

    def open(self, url: str) -> None:
        """Go to an address."""
        self.browser.get(url)

    def reload(self) -> None:
        """Load the page again."""
        self.browser.refresh()

    def url(self) -> str:
        """Return the address the page has come to."""
        return self.browser.current_url

    def text(self) -> str:
        """Return everything that can be read on the page."""
        return self.browser.find_element(By.TAG_NAME, "body").text

    def see(self, *texts: str, seconds: float = 30) -> None:
        """Wait until the page shows each of the texts."""
        for text in texts:
            self._until(lambda text=text: text in self.text(), f"to see {text!r}", seconds)

    def press(self, text: str) -> None:
        """Click what says exactly `text`: a button, a link, a tab."""
        own = f"normalize-space(.)='{text}'"
        self.click(f"(//*[{own} and not(*[{own}])])[last()]", text)

    def press_in_row(self, text: str, row: str) -> None:
        """Click what says exactly `text` in the row of a table in which something says `row`."""
        own = f"normalize-space(.)='{text}'"
        self.click(f"//tr[.//*[normalize-space(.)='{row}']]//*[{own} and not(*[{own}])]", f"{text} of {row}")

    def enter(self, text: str) -> None:
        """Press the enter key on the button that says `text`: a message that lies over it does no harm."""
        found = f"//button[normalize-space(.)='{text}']"
        self._until(lambda: self._shown(found).send_keys(Keys.ENTER) or True, f"to press enter on {text}")

    def fill(self, label: str, text: str) -> None:
        """Type `text` into the field under the label that begins with `label`."""
        found = f"//label[starts-with(normalize-space(.), '{label}')]/following::textarea[1]"
        self._until(lambda: self._shown(found), f"the field {label!r}").send_keys(text)
        self._until(lambda: self._shown(found).get_property("value") == text, f"{text!r} in the field {label!r}")

    def scroll_to(self, text: str) -> None:
        """Bring the last thing that says `text` into view: the page loads some parts only then."""
        found = f"(//*[normalize-space(.)='{text}'])[last()]"
        script = "arguments[0].scrollIntoView(); return true"
        self._until(lambda: self.browser.execute_script(script, self._shown(found)), f"to scroll to {text!r}")

    def drawn(self, selector: str, least: int) -> None:
        """Wait until an element's picture has at least so many bytes: an empty one has few."""
        found = self.browser.find_element(By.CSS_SELECTOR, selector)
        self._until(lambda: len(found.screenshot_as_png) >= least, f"{selector} to be drawn")

    def picture(self, name: str, height: int = HEIGHT) -> None:
        """Keep a picture of the page for the guide, if PLUGINYARD_SCREENSHOTS asks for it."""
        if os.environ.get("PLUGINYARD_SCREENSHOTS") != "1":
            return
        self.browser.set_window_size(WIDTH, height)
        self.browser.execute_script("document.querySelectorAll('*').forEach(part => part.scrollTop = 0)")
        time.sleep(2)  # until what moves has come to rest
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = str(PICTURES / f"{name}.png")
        assert self.browser.save_screenshot(path)
        # 64 colours draw the pages, and keep a picture well below 200 kB.
        pngquant = ensure_debian_package("pngquant", "pngquant")
        subprocess.run([pngquant, "--force", "--strip", "--ext=.png", "64", path], check=True)
        self.browser.set_window_size(WIDTH, HEIGHT)

    def click(self, xpath: str, what: str = "") -> None:
        """Click what the XPath finds, where no text names it."""

        def click() -> bool:
            found = self._shown(xpath)
            self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
            found.click()
            return True

        self._until(click, f"to press {what or xpath}")

    def _shown(self, xpath: str) -> WebElement:
        return self.browser.find_element(By.XPATH, xpath)

    def _until(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        # The page is drawn anew while one looks: what was there a moment ago is looked for again.
        wait = WebDriverWait(self.browser, seconds, 0.2, [WebDriverException])
        try:
            return wait.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"waited {seconds} s {what} on {self.browser.current_url}:\n{self.text()}") from None


@contextmanager
def open_browser(profile: Path) -> Iterator[Chrome]:
    """Open Debian's Chromium with the empty `profile`, and close it at the end."""
    options = ChromeOptions()
    options.binary_location = ensure_debian_package("chromium", "chromium")
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = ensure_debian_package("chromedriver", "chromium-driver")
    service = ChromeService(driver, env={**os.environ, "HOME": str(profile), "TZ": "UTC"})
    browser = Chrome(options=options, service=service)
    try:
        browser.set_page_load_timeout(60)
        browser.set_window_size(WIDTH, HEIGHT)
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Give a page in a browser of this session."""
    try:
        ensure_debian_package("chromium", "chromium")
    except MissingPackageError as error:
        miss(str(error))
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield Page(browser)
