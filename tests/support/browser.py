"""A headless Chromium, led by chromedriver over WebDriver. Python's standard library only."""
import asyncio
import base64
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from waiting import LIMIT, SLOWNESS, until

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
WHY_NOT = None if CHROMIUM and DRIVER else "no chromium and chromedriver on this machine"

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--lang=en",
)
# Before any script of the page: what goes wrong there is kept for the test.
_WATCH = """
  window.faults = [];
  addEventListener('securitypolicyviolation', (e) => faults.push(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  addEventListener('error', (e) => faults.push(`error ${e.message} ${e.filename}:${e.lineno}`));
  addEventListener('unhandledrejection', (e) => faults.push(`rejection ${e.reason && e.reason.stack || e.reason}`));
"""


class Browser:
    """One window. Every call is awaited on a thread, so that fake miners and pools go on meanwhile."""

    def __init__(self):
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="spx-browser-"))
        self._driver = self._session = None
        self._scripts = []

    def start(self):
        """Takes a second or more: several tests may use one, after a fresh_page() each."""
        # It takes a free port for one family of addresses, and ends when another program has the same one for the other.
        for _ in range(5):
            if self._launch():
                break
        else:
            raise AssertionError(f"chromedriver does not start: {self._said}")
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={self._home}/profile"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def _launch(self):
        self._driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"HOME": str(self._home), "TMPDIR": str(self._home)},
        )
        self._said = ""
        for line in self._driver.stdout:
            self._said += line
            if "started successfully on port" in line:
                self._port = int(line.rstrip(".\n ").split()[-1])
                return True
        self._driver.wait()
        self._driver.stdout.close()
        return False

    def close(self):
        try:
            if self._session:
                self._call("DELETE", f"/session/{self._session}")
        finally:
            if self._driver:
                self._driver.terminate()
                self._driver.wait(10 * SLOWNESS)
                self._driver.stdout.close()
            shutil.rmtree(self._home, ignore_errors=True)

    def _call(self, method, path, body=None, timeout=30 * SLOWNESS):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer and "message" in answer:
            raise AssertionError(f"{answer['error']}: {answer['message']}")
        return answer

    async def call(self, method, command, body=None):
        return await asyncio.to_thread(self._call, method, f"/session/{self._session}/{command}", body)

    async def devtools(self, command, **parameters):
        return await self.call("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    # The page

    async def fresh_page(self, width=1280, height=900):
        """As after start(): nothing is left of the page before, of its size, scripts and colours."""
        for script in self._scripts:
            await self.devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
        self._scripts = []
        await self.devtools("Emulation.setEmulatedMedia", features=[])
        await self.resize(width, height)
        await self.go("about:blank")
        await self.call("POST", "se/log", {"type": "browser"})
        await self.before_scripts(_WATCH)

    async def before_scripts(self, source):
        """Runs in each page from now on, before its own scripts do."""
        added = await self.devtools("Page.addScriptToEvaluateOnNewDocument", source=source)
        self._scripts.append(added["identifier"])

    async def go(self, url):
        await self.call("POST", "url", {"url": url})

    async def resize(self, width, height, mobile=False):
        await self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    async def prefer(self, scheme):
        """What the system prefers: light or dark."""
        await self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def run(self, script, *arguments):
        """The value that the function body returns; a promise is waited for."""
        return await self.call("POST", "execute/sync", {"script": script, "args": list(arguments)})

    async def until(self, script, what, *arguments, limit=LIMIT):
        """The first true value of the function body."""
        return await until(lambda: self.run(script, *arguments), what, limit, pause=0.05)

    async def text(self, selector):
        return await self.run("const node = document.querySelector(arguments[0]); return node && node.textContent", selector)

    async def _element(self, selector):
        found = await self.call("POST", "element", {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    async def click(self, selector):
        """As a user does: in sight, and not covered."""
        await self.call("POST", f"element/{await self._element(selector)}/click", {})

    async def type(self, selector, text):
        element = await self._element(selector)
        await self.call("POST", f"element/{element}/clear", {})
        await self.call("POST", f"element/{element}/value", {"text": text})

    async def faults(self):
        """What the page did wrong: scripts, its content policy, and errors and warnings on the console."""
        console = await self.call("POST", "se/log", {"type": "browser"})
        return await self.run("return window.faults") + [line["message"] for line in console if line["level"] in ("SEVERE", "WARNING")]

    async def screenshot(self):
        return base64.b64decode(await self.call("GET", "screenshot"))
