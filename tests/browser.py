"""A headless Chromium, spoken to through its own protocol (a pipe, so no further package is needed)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


class Page:
    """One tab. `requests` and `messages` collect what the page asks for and complains of."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.to_browser, self.from_browser = to_browser, from_browser
        self.pending, self.number, self.session = b"", 0, None
        self.requests: list[str] = []
        self.messages: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict:
        """Send a command and return its result; events that come before it are noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def receive(self) -> dict:
        while b"\0" not in self.pending:
            read = os.read(self.from_browser, 1 << 20)
            assert read, "the browser has closed"
            self.pending += read
        text, _, self.pending = self.pending.partition(b"\0")
        message = json.loads(text)
        self.note(message.get("method"), message.get("params", {}))
        return message

    def note(self, method: str | None, event: dict) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.messages.append(str(event["args"]))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(str(event["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.messages.append(event["entry"]["text"])

    def open(self, path: Path, width: int, height: int, dark: bool = False) -> None:
        """Open a file at a window's size (CSS pixels), as a phone does where it is narrow; wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> object:
        """Evaluate JavaScript in the page; None where it is undefined."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser with one tab; its files are in `profile`."""
    (command_end, to_browser), (from_browser, answer_end) = os.pipe(), os.pipe()
    arguments = " ".join(["--remote-debugging-pipe", f"'--user-data-dir={profile}'", *FLAGS])
    shell = f"exec '{CHROMIUM}' {arguments} 3<&{command_end} 4>&{answer_end}"
    process = subprocess.Popen(
        ["/bin/bash", "-c", shell],
        pass_fds=(command_end, answer_end),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_end)
    os.close(answer_end)
    try:
        yield Page(to_browser, from_browser)
    finally:
        process.kill()
        process.wait()
        os.close(to_browser)
        os.close(from_browser)
