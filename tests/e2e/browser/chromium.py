"""A headless Chromium, spoken to by the DevTools protocol over a pair of pipes: no port, no driver, no library."""

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

FLAGS = [
    "--headless",
    "--no-sandbox",  # it runs as root of its own namespaces, where its sandbox cannot
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
]


class ProtocolError(Exception):
    """Chromium refused a command, or said nothing in time."""


class Chromium:
    """One browser. Events are kept until somebody takes them."""

    def __init__(self, commands, answers, process):
        self._commands, self._answers, self._process = commands, answers, process
        self._buffer = b""
        self._last_id = 0
        self.events = []  # (session, method, parameters)

    def call(self, method, session=None, **parameters):
        """The result of one command; events that arrive before it are kept."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(30)
            if answer is None:
                raise ProtocolError(f"{method}: no answer within 30 s")
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    raise ProtocolError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._keep(answer)

    def wait(self, session, method, seconds=20):
        """The parameters of the next event of that name, which is taken away."""
        end = time.monotonic() + seconds
        while True:
            for i, (of, name, parameters) in enumerate(self.events):
                if of == session and name == method:
                    del self.events[i]
                    return parameters
            answer = self._read(max(0, end - time.monotonic()))
            if answer is None:
                raise ProtocolError(f"no {method} within {seconds} s")
            self._keep(answer)

    def _keep(self, message):
        if "method" in message:
            self.events.append((message.get("sessionId"), message["method"], message["params"]))

    def _read(self, seconds):
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            if not select.select([self._answers], [], [], max(0, end - time.monotonic()))[0]:
                return None
            received = os.read(self._answers, 1 << 20)
            if not received:
                raise ProtocolError(f"Chromium is gone, exit code {self._process.wait()}")
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


class Tab:
    """One page, and all that it asked for and complained about."""

    def __init__(self, chromium):
        self._chromium = chromium
        self._context = chromium.call("Target.createBrowserContext")["browserContextId"]
        target = chromium.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "Accessibility", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self._chromium.call(method, self._session, **parameters)

    def close(self):
        self._chromium.call("Target.disposeBrowserContext", browserContextId=self._context)

    def show(self, width, height=900, scheme="light"):
        """Sets the window and the reader's preference."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self._chromium.wait(self._session, "Page.loadEventFired")

    def evaluate(self, script):
        """The value of a JavaScript expression, promises awaited. The page's policy does not bind it."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise ProtocolError(answer["exceptionDetails"]["exception"].get("description", "an exception"))
        return answer["result"].get("value")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9}[key])

    def without_scripts(self):
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def screenshot(self, path):
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        image = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def events(self, method):
        """What has happened so far, kept."""
        self.evaluate("0")  # whatever Chromium sent before its answer to this is there now
        return [p for session, name, p in self._chromium.events if session == self._session and name == method]

    def requests(self):
        return [event["request"]["url"] for event in self.events("Network.requestWillBeSent")]

    def complaints(self):
        """All that a developer would see in the console, exceptions and violated policies among it."""
        found = [event["entry"]["text"] for event in self.events("Log.entryAdded")]
        found += [str(event["args"]) for event in self.events("Runtime.consoleAPICalled")]
        found += [event["exceptionDetails"]["text"] for event in self.events("Runtime.exceptionThrown")]
        found += [str(event["issue"]) for event in self.events("Audits.issueAdded")]
        return found

    def outline(self):
        """[(role, name, level)] of the accessibility tree's landmarks, headings, tables and drawings."""
        found = []
        for node in self.call("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value")
            level = next((p["value"]["value"] for p in node.get("properties", []) if p["name"] == "level"), None)
            if not node["ignored"]:
                found.append((role, node.get("name", {}).get("value", ""), level))
        return found


@contextlib.contextmanager
def chromium():
    """A browser with an empty profile, for as long as the block runs."""
    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        their_commands, commands = os.pipe()
        answers, their_answers = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{their_commands} 4>&{their_answers}',
                "bash",
                "chromium",
                *FLAGS,
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(their_commands, their_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_commands)
        os.close(their_answers)
        stack.callback(os.close, answers)
        stack.callback(os.close, commands)
        try:
            yield Chromium(commands, answers, process)
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def tab(browser):
    opened = Tab(browser)
    try:
        yield opened
    finally:
        opened.close()
