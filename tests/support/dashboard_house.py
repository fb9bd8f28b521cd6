"""The base of the tests of the dashboard."""
import json

from browser import Browser
from canaries import WEB_TOKEN
from house import HouseTest

# Speeds that are known within seconds.
QUICK_SPEED = {"metrics": {"window_seconds": 4, "interval_seconds": 1, "flush_seconds": 0.2}}

# In the page: the rows that are drawn, and their names.
IN_THE_PAGE = "window.seen = () => [...document.querySelectorAll('#view-workers tbody tr:not(.spacer)')];"
ROWS = "return seen().map((row) => row.cells[0].textContent)"


class DashboardTest(HouseTest):
    """A daemon with a pool, and its page in a browser; a test fails when the page did something wrong."""

    @classmethod
    def setUpClass(cls):
        cls.page = Browser()
        cls.addClassCleanup(cls.page.close)
        cls.page.start()

    async def asyncSetUp(self):
        await self.page.fresh_page()
        await self.page.before_scripts(IN_THE_PAGE)
        self.addAsyncCleanup(self._end_page)

    async def _end_page(self):
        faults = await self.page.faults()
        # What the proxy refuses is on the console whatever the page does with it.
        self.assertEqual([each for each in faults if "Failed to load resource" not in each], [], "faults of the page")

    async def house(self, config=None, **options):
        self.proxy = await self.daemon(config=QUICK_SPEED | (config or {}), **options)
        self.farm = await self.pool()
        await self.proxy.add_pool(self.farm.address)

    async def open_page(self, view="overview", token=WEB_TOKEN):
        await self.page.go(f"http://{self.proxy.web}/#{view}")
        await self.page.until("return !document.querySelector('#sign-in').hidden || location.hash === '#register'", "the page")
        if token:
            await self.sign_in(token)

    async def sign_in(self, token):
        await self.show("overview")
        await self.page.until("return !document.querySelector('#sign-in').hidden", "the form for the token")
        await self.page.type("#token", token)
        await self.page.click("#sign-in button")
        await self.page.until("return !document.querySelector('#sign-out').hidden", "signed in")

    async def show(self, view):
        await self.page.run("location.hash = arguments[0]", view)
        await self.page.until("return !document.querySelector(`#view-${arguments[0]}`).hidden", f"the view {view}", view)

    async def press(self, text, within="main"):
        """A button that can be seen there, by its text."""
        await self.page.until(
            """
              const button = [...document.querySelectorAll(`${arguments[0]} button`)]
                .find((each) => each.offsetParent && !each.disabled && each.textContent === arguments[1]);
              button?.click();
              return button !== undefined;
            """,
            f"the button {text}", within, text,
        )

    async def fill(self, **values):
        """Fields of the open dialog, by their names."""
        for name, text in values.items():
            await self.page.type(f"dialog [name={name}]", text)

    async def done(self):
        """What the dialog asked for."""
        await self.page.until("return !document.querySelector('dialog')", "the end of the dialog")

    async def refusal(self):
        return await self.page.until("return document.querySelector('dialog .fault').textContent", "a refusal")

    async def cells(self, view):
        """The texts of a table's rows."""
        return await self.page.run(
            "return [...document.querySelectorAll(`#view-${arguments[0]} tbody tr:not(.spacer)`)]"
            ".map((row) => [...row.cells].map((cell) => cell.textContent))",
            view,
        )

    async def ask(self, method, path, body=None, status=200, headers=None):
        """The proxy's own answer, to compare with."""
        got, text = await self.proxy.call(method, path, body, headers=headers)
        self.assertEqual(got, status, text)
        return json.loads(text)
