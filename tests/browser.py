"""Headless Chromium over the pipe of its DevTools protocol: opens a page and tells what happened in it."""

import base64
import json
import os
import selectors
import shutil
import subprocess
import time
from dataclasses import dataclass

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


def found() -> str | None:
    """The path of a Chromium of this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Seen:
    """What a visit of a page came to."""

    errors: list[str]
    requests: list[str]
    inner: int
    scroll: int
    faint: list[str]
    answer: object
    picture: bytes | None

    @property
    def overflows(self) -> bool:
        return self.scroll > self.inner


# Every text that can be seen, its colour against the first ground behind it that is painted (WCAG 2.2, 1.4.3).
FAINT = """(() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => colour.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const text = light(channels(getComputedStyle(element).color)), behind = light(ground(element));
    const contrast = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    if (contrast < 4.5) faint.push(walk.currentNode.textContent.trim().slice(0, 40) + " " + contrast.toFixed(2));
  }
  return faint;
})()"""


class Browser:
    """One Chromium; `see` opens a page of its own for each visit."""

    def __init__(self, path: str, profile: str):
        # Chromium reads descriptor 3 and writes descriptor 4
        shell = 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null'
        command = ["sh", "-c", shell, path, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.number, self.rest, self.events = 0, b"", []

    def see(
        self, url: str, *, width: int, dark: bool, ask: str = "null", height: int = 900, picture: bool = False
    ) -> Seen:
        """Open a page `width` pixels wide; `ask` is a JavaScript expression that is answered when it has loaded."""
        self.events.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        phone = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", session, **phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, features=[scheme])
        self.call("Page.navigate", session, url=url)
        self.until(lambda: self.some("Page.loadEventFired"))
        answer = self.evaluate(session, ask)
        inner, scroll = self.evaluate(
            session, f"[Math.min({width}, document.documentElement.clientWidth), document.documentElement.scrollWidth]"
        )
        faint = self.evaluate(session, FAINT)
        shot = self.call("Page.captureScreenshot", session, captureBeyondViewport=False)["data"] if picture else None
        seen = Seen(
            self.errors(), self.requests(url), inner, scroll, faint, answer, base64.b64decode(shot) if shot else None
        )
        self.call("Target.closeTarget", targetId=target)
        return seen

    def evaluate(self, session: str, expression: str):
        got = self.call("Runtime.evaluate", session, expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def errors(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and what the browser itself complains of."""
        complaints = [e["params"]["entry"]["text"] for e in self.some("Log.entryAdded")]
        said = [json.dumps(e["params"]["args"]) for e in self.some("Runtime.consoleAPICalled")]
        return (
            complaints + said + [e["params"]["exceptionDetails"]["text"] for e in self.some("Runtime.exceptionThrown")]
        )

    def requests(self, url: str) -> list[str]:
        """All requests but that for the page itself, for data within it, and those that its policy stopped: an error."""
        stopped = {
            e["params"]["requestId"]
            for e in self.some("Network.loadingFailed")
            if e["params"].get("blockedReason") == "csp"
        }
        asked = [event["params"] for event in self.some("Network.requestWillBeSent")]
        urls = [one["request"]["url"] for one in asked if one["requestId"] not in stopped]
        return [other for other in urls if other.split("#")[0] != url.split("#")[0] and not other.startswith("data:")]

    def some(self, method: str) -> list[dict]:
        return [event for event in self.events if event.get("method") == method]

    def call(self, method: str, session: str | None = None, **parameters) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        os.write(self.process.stdin.fileno(), json.dumps(message).encode() + b"\0")
        number = self.number
        self.until(lambda: any(event.get("id") == number for event in self.events))
        reply = next(event for event in self.events if event.get("id") == number)
        self.events.remove(reply)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def until(self, done, seconds: float = 60):
        """Read events until `done()`."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "the browser does not answer"
            if not self.selector.select(timeout=1):
                continue
            got = os.read(self.process.stdout.fileno(), 1 << 20)
            assert got, "the browser has ended"
            *whole, self.rest = (self.rest + got).split(b"\0")
            self.events += [json.loads(message) for message in whole]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
