"""A headless Chromium that tests look at pages with, over its DevTools protocol.

Commands and events go as JSON through two pipes (``--remote-debugging-pipe``), so there is no port,
no driver of the browser's version and no package: what it takes is Chromium. The protocol's
reference is at https://chromedevtools.github.io/devtools-protocol.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 300.0
"""How long anything of the browser's may take, on a machine that is busy with other tests."""


def found() -> str | None:
    """Return the browser's path, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A running browser, without a profile of its own."""

    def __init__(self, folder: Path) -> None:
        here, self._out = os.pipe()
        self._in, there = os.pipe()
        # The browser reads file descriptor 3 and writes 4; bash takes numbers of two digits.
        command = [
            "bash", "-c", f'exec "$@" 3<&{here} 4>&{there}', "bash", str(found()), "--headless",
            "--remote-debugging-pipe", f"--user-data-dir={folder}", "--no-first-run",
            "--no-sandbox",  # which users in containers are not let have; the pages are our own
            "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, pass_fds=(here, there), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(here)
        os.close(there)
        self._number, self._left = 0, b""
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End the browser; it ends by itself once its pipes are closed."""
        os.close(self._out)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Run a command of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(PATIENCE_S)
            assert answer is not None, f"{method}: no answer"
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def listen(self) -> None:
        """Take what has been said meanwhile among the events."""
        while (event := self._next(0.05)) is not None:
            self.events.append(event)

    def _next(self, seconds: float) -> dict[str, Any] | None:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], seconds)
            block = os.read(self._in, 1 << 20) if ready else b""
            if not block:
                return None
            self._left += block
        text, _, self._left = self._left.partition(b"\0")
        said: dict[str, Any] = json.loads(text)
        return said


class Page:
    """A tab: what its page shows, what it asks for, and what goes wrong in it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._runs_scripts = True
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(1200, 900)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Run a command of the protocol for this tab."""
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page a size in pixels, and its reader a taste."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.settle()

    def open(self, address: str) -> None:
        """Open a page and wait until it is there."""
        before = len(self._events("Page.loadEventFired"))
        self.call("Page.navigate", url=address)
        self.wait(lambda: len(self._events("Page.loadEventFired")) > before)
        self.settle()

    def without_scripts(self) -> None:
        """Open pages as for a reader whose browser runs no scripts."""
        self.call("Emulation.setScriptExecutionDisabled", value=True)
        self._runs_scripts = False

    def settle(self) -> None:
        """Wait until the page is laid out, and what observes its size has drawn anew.

        Observers are called at the end of a frame, behind its animation callbacks, so that the
        second of two such callbacks comes after them.
        """
        if not self._runs_scripts:
            return
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        done = self.call("Runtime.evaluate", expression=frames, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Return the first answer of a condition that is true."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if answer := condition():
                return answer
            self._browser.listen()
        raise AssertionError("it did not become so")

    def js(self, expression: str) -> Any:
        """Return the value of an expression of the page's."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def where(self, selector: str) -> tuple[float, float]:
        """Return the middle of an element, scrolled to where it is seen."""
        x, y = self.js(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        return x, y

    def mouse(self, kind: str, x: float, y: float, clicks: int = 0) -> None:
        """Send an event of the mouse: mouseMoved, mousePressed or mouseReleased."""
        button = "left" if clicks or kind != "mouseMoved" else "none"
        self.call(
            "Input.dispatchMouseEvent",
            type=kind, x=x, y=y, button=button, buttons=int(button == "left"), clickCount=clicks,
        )  # fmt: skip

    def hover(self, selector: str) -> None:
        self.mouse("mouseMoved", *self.where(selector))

    def click(self, selector: str, times: int = 1) -> None:
        place = self.where(selector)
        for count in range(1, times + 1):
            self.mouse("mousePressed", *place, clicks=count)
            self.mouse("mouseReleased", *place, clicks=count)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw from one place to another with the button held."""
        self.mouse("mousePressed", *start, clicks=1)
        for step in (0.5, 1.0):
            x, y = (a + step * (b - a) for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, clicks=1)
        self.mouse("mouseReleased", *end, clicks=1)

    def key(self, name: str) -> None:
        """Press a key, by the name that the page is given."""
        text = {"text": name} if len(name) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list."""
        self.js(
            f"(s => {{ s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')); }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def downloads(self, folder: Path) -> None:
        """Let files that the page offers go into a folder."""
        self._browser.call(
            "Browser.setDownloadBehavior",
            behavior="allow", downloadPath=str(folder), eventsEnabled=True,
        )  # fmt: skip

    def picture(self, path: Path) -> None:
        """Keep what is seen as a PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def printed(self) -> bytes:
        """Return the page as it is printed, a PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    @property
    def requests(self) -> list[str]:
        """Addresses that the page has asked for, itself first."""
        self._browser.listen()
        return [e["request"]["url"] for e in self._events("Network.requestWillBeSent")]

    @property
    def problems(self) -> list[Any]:
        """All that went wrong: exceptions, lines of the console, what the policy refused."""
        self._browser.listen()
        names = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event for name in names for event in self._events(name)]

    def _events(self, name: str) -> list[dict[str, Any]]:
        return [
            event["params"]
            for event in self._browser.events
            if event["method"] == name and event.get("sessionId") == self._session
        ]


@contextmanager
def tab(browser: Browser) -> Iterator[Page]:
    """Open a tab for a while."""
    page = Page(browser)
    try:
        yield page
    finally:
        page.close()
