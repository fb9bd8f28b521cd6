"""What can be changed with the dashboard: accounts, workers, sessions, bans, pools, algorithms, configuration; and by whom."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import browser
from canaries import OTHER_POOL_PASSWORD, POOL_PASSWORD
from dashboard_house import DashboardTest
from house import main
from waiting import until

LONG_GRACE = {"session": {"grace_seconds": 600}}
CHANGING = ("Change", "Remove", "Ban", "Disconnect", "Move", "Ban its address", "Add a ban", "Lift", "End", "Add a pool",
            "Add an algorithm", "Read it again")
# The buttons that can be seen, of those that change something.
SHOWN = """
  return [...document.querySelectorAll('button')].filter((each) => each.offsetParent).map((each) => each.textContent)
    .filter((each) => arguments[0].includes(each));
"""


@unittest.skipIf(browser.WHY_NOT, browser.WHY_NOT)
class DashboardChanges(DashboardTest):
    async def open_row(self, view, text):
        """The drawer of the row with this name."""
        await self.show(view)
        await self.page.until(
            """
              const row = [...document.querySelectorAll(`#view-${arguments[0]} tbody button.link`)]
                .find((each) => each.textContent === arguments[1]);
              row?.click();
              return row !== undefined;
            """,
            f"{text} in {view}", view, text,
        )

    async def table_of(self, view, condition, what):
        async def right():
            rows = await self.cells(view)
            return (rows or True) if condition(rows) else None

        return await until(right, what)

    async def test_an_account_is_changed_and_nobody_elses_change_is_lost(self):
        await self.house()
        other = await self.pool()
        await self.proxy.add_pool(other.address)
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name)
        path = f"/api/v1/users/{name}"
        await self.open_page()
        await self.open_row("accounts", name)
        await self.press("Change", "#drawer")
        await self.page.until("return document.querySelector('dialog [name=pool]')?.value === arguments[0]", "the form",
                              self.farm.address)
        # A fall-back, which then goes first; the password that is not typed stays.
        await self.press("Add a fall-back or a second pool", "dialog")
        second = "dialog fieldset:nth-child(2) "
        for field, text in ("pool", other.address), ("user", "away"), ("password", OTHER_POOL_PASSWORD):
            await self.page.type(f"{second}[name={field}]", text)
        await self.press("Up", "dialog")
        await self.page.run("document.querySelector('dialog [name=mode]').value = 'dedicated'")
        await self.press("Change", "dialog")
        await self.done()
        row = await self.ask("GET", path)
        self.assertEqual([(each["pool"], each["user"], each["weight"]) for each in row["pools"]],
                         [(other.address, "away", 0), (self.farm.address, "wallet", 0)])
        self.assertEqual(row["mode"], "dedicated")
        await self.page.until("return document.querySelector('#drawer .routes').textContent.includes(arguments[0])",
                              "the new pool in the drawer", other.address)
        logins = lambda: [user for each in other.connections for user in each.users]
        await other.until(lambda: any("away" in user for user in logins()), "its worker at the new pool")
        self.assertTrue(miner.connected)

        # Somebody else is faster.
        await self.press("Change", "#drawer")
        await self.page.until("return document.querySelector('dialog [name=weight]')", "the form")
        await self.ask("PATCH", path, {"pools": [{"pool": self.farm.address, "user": "wallet", "weight": 0}]})
        await self.fill(user="overwritten")
        await self.press("Change", "dialog")
        self.assertEqual(await self.refusal(), "Not done: somebody else has changed it meanwhile.")
        row = await self.ask("GET", path)
        self.assertEqual([each["user"] for each in row["pools"]], ["wallet"])
        await self.press("Show what it is now", "dialog")
        await self.page.until("return document.querySelector('dialog [name=user]')?.value === 'wallet'", "what it is now")
        await self.fill(pool="nobody.example:1")
        await self.press("Change", "dialog")
        self.assertIn("nobody.example:1", await self.refusal())
        await self.press("Cancel", "dialog")
        await self.done()
        self.assertEqual((await self.ask("GET", path))["revision"], row["revision"])

        # Of another pool or user the password that is there cannot be kept, and is not wiped either.
        for field, text in ("user", "somebody else"), ("pool", other.address):
            await self.press("Change", "#drawer")
            await self.page.until("return document.querySelector('dialog [name=pool]')", "the form")
            await self.fill(**{field: text})
            await self.press("Change", "dialog")
            self.assertIn("password", await self.refusal())
            await self.press("Cancel", "dialog")
            await self.done()
        self.assertEqual((await self.ask("GET", path))["revision"], row["revision"])
        # What the form trims is no other row.
        await self.ask("PATCH", path, {"pools": [{"pool": self.farm.address, "user": " wallet ", "password": POOL_PASSWORD}]})
        await self.press("Change", "#drawer")
        await self.page.until("return document.querySelector('dialog [name=user]')?.value === ' wallet '", "the form")
        await self.fill(pool=f" {self.farm.address} ")
        await self.page.run("document.querySelector('dialog [name=mode]').value = ''")
        await self.press("Change", "dialog")
        await self.done()
        row = await self.ask("GET", path)
        self.assertEqual([row["mode"], row["pools"][0]["pool"], row["pools"][0]["user"]], [None, self.farm.address, " wallet "])
        self.assertNotIn("password", (await self.ask("GET", "/api/v1/audit?limit=1"))["audit"][0]["detail"])
        for password in POOL_PASSWORD, OTHER_POOL_PASSWORD:
            self.assertNotIn(password, await self.page.run("return document.documentElement.outerHTML"))

    async def test_an_account_is_removed_when_its_name_was_confirmed(self):
        await self.house()
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name)
        await miner.mine(1)
        await self.open_page()
        await self.open_row("accounts", name)
        await self.press("Remove", "#drawer")
        self.assertIn(f"Remove account {name}?", await self.page.text("dialog"))
        self.assertIn("Its worker is let go", await self.page.text("dialog"))
        await self.press("Cancel", "dialog")
        await self.done()
        await self.ask("GET", f"/api/v1/users/{name}")
        self.assertTrue(miner.connected)
        await self.press("Remove", "#drawer")
        await self.press(f"Remove {name}", "dialog")
        await self.done()
        await miner.closed()
        await self.ask("GET", f"/api/v1/users/{name}", status=404)
        self.assertTrue(await self.page.run("return document.querySelector('#drawer').hidden"))
        # Its totals stay, and with them its row; there is nothing more to change.
        await self.table_of("accounts", lambda rows: [row[:2] for row in rows] == [[name, "removed"]], "the account that was")
        await self.open_row("accounts", name)
        self.assertEqual(await self.page.run(SHOWN, CHANGING), [])

    async def test_a_worker_is_moved_and_disconnected(self):
        await self.house()
        names = [await self.proxy.register(self.farm.address, user) for user in ("one", "two")]
        miner = await self.miner(self.proxy, names[0], agent="kit/7")
        await self.open_page()
        await self.open_row("workers", "rig1")
        await self.press("Move", "#drawer")
        offered = "return [...document.querySelectorAll('#other-accounts option')].map((each) => each.value)"
        self.assertEqual(await self.page.run(offered), names[1:])
        await self.fill(user="0" * 16)
        await self.press("Move", "dialog")
        self.assertEqual(await self.refusal(), "Not done: unknown user")
        await self.fill(user=names[1])
        await self.press("Move", "dialog")
        await self.done()
        (row,) = (await self.ask("GET", f"/api/v1/workers/{miner.source}"))["workers"]
        self.assertEqual(row["user"], names[1])
        await self.table_of("workers", lambda rows: [row[6] for row in rows] == names[1:], "the worker under the other account")
        await self.open_row("workers", "rig1")
        await self.press("Disconnect", "#drawer")
        await self.press("Disconnect", "dialog")
        await self.done()
        await miner.closed()
        await self.table_of("workers", lambda rows: not rows, "the worker gone")

    async def test_kept_sessions_are_shown_and_ended(self):
        await self.house(config=LONG_GRACE)
        name = await self.proxy.register(self.farm.address)
        lost = await self.miner(self.proxy, name, "lost")
        await self.open_page()
        asked = "return performance.getEntriesByType('resource').filter((each) => each.name.includes('v1/sessions')).length"
        self.assertEqual(await self.page.run(asked), 0, "nobody looks at them yet")
        await self.show("sessions")
        await self.page.until("return document.querySelector('#view-sessions .none').textContent.startsWith('No session')", "none")
        lost.reset()
        ((rig, since, ends, account, pool, algorithm, address, session, _),) = await self.table_of(
            "sessions", lambda rows: len(rows) == 1, "the kept session")
        self.assertEqual((rig, account, pool, algorithm, address), ("lost", name, self.farm.address, "sha256d", lost.source))
        self.assertRegex(since, r"^\d+ s ago$")
        self.assertRegex(ends, r"^(9|10) min$")
        self.assertRegex(session, r"^[0-9a-f]{8}$")
        await self.press("End")
        await self.press("End it", "dialog")
        await self.done()
        await self.table_of("sessions", lambda rows: not rows, "its end")
        self.assertEqual((await self.ask("GET", "/api/v1/sessions"))["sessions"], [])

    async def test_bans_are_added_and_lifted(self):
        await self.house()
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name)
        await self.open_page()
        await self.show("bans")
        await self.page.until("return document.querySelector('#view-bans').textContent.includes('Nobody is banned')", "none")
        await self.press("Add a ban")
        await self.fill(subject="127.0.0.1", reason="floods")
        await self.press("Ban", "dialog")
        self.assertIn("own host", await self.refusal())
        await self.fill(subject="10.9.0.0/16")
        await self.page.run("document.querySelector('dialog [name=seconds]').value = '3600'")
        await self.press("Ban", "dialog")
        await self.done()
        rows = await self.table_of("bans", len, "the ban")
        self.assertEqual(rows[0][:2], ["10.9.0.0/16", "floods"])
        self.assertRegex(rows[0][3], "^in (59 min|1 h 0 min)$")
        (row,) = (await self.ask("GET", "/api/v1/bans"))["bans"]
        self.assertTrue(3000 < row["seconds"] <= 3600, row)
        await self.press("Lift")
        await self.press("Cancel", "dialog")
        await self.press("Lift")
        await self.press("Lift", "dialog")
        await self.done()
        await self.table_of("bans", lambda rows: not rows, "no ban")
        self.assertEqual((await self.ask("GET", "/api/v1/bans"))["bans"], [])

        # Of the drawer of whom it is about.
        await self.open_row("workers", "rig1")
        await self.press("Ban its address", "#drawer")
        self.assertEqual(await self.page.run("return document.querySelector('dialog [name=subject]').value"), "127.0.0.1")
        await self.press("Cancel", "dialog")
        await self.open_row("accounts", name)
        await self.press("Ban", "#drawer")
        await self.fill(reason="did not pay")
        await self.press("Ban", "dialog")
        await self.done()
        await miner.closed()
        self.assertIn("closing: banned: did not pay", miner.shown)

    async def test_the_audit_log_is_read_page_by_page(self):
        await self.house()
        registrations = 230  # more than a page
        account = {"pool": self.farm.address, "password": "x"}
        for number in range(registrations):
            name = (await self.ask("POST", "/api/v1/users", account | {"user": f"wallet{number}"}, 201))["name"]
        await self.open_page()
        await self.show("audit")
        total = "return document.querySelector('#view-audit .total').textContent"
        await self.page.until(f"{total} === '200'", "the newest page")
        self.assertIn("user.register", (await self.cells("audit"))[0])
        await self.press("Older entries")
        every = len((await self.ask("GET", "/api/v1/audit"))["audit"])
        self.assertGreater(every, registrations)
        await self.page.until(f"{total} === arguments[0]", "all of it", str(every))
        await self.page.until("return document.querySelector('#older-entries').hidden", "the last page")
        # What is done meanwhile comes to the others.
        await self.ask("DELETE", f"/api/v1/users/{name}")
        await self.page.until(f"{total} === arguments[0]", "the new entry", str(every + 1))
        newest = (await self.cells("audit"))[0]
        self.assertEqual(newest[1:4], ["token-file", "user.remove", name])

    async def test_the_status_and_reading_the_configuration_again(self):
        await self.house()
        await self.open_page()
        await self.show("status")
        status = await self.ask("GET", "/api/v1/status")
        text = "document.querySelector('#view-status').textContent"
        said = "document.querySelector('#reload-said').textContent"
        await self.page.until(f"return {text}.includes('not since the start')", "the status")
        shown = await self.page.run(f"return {text}")
        for each in (status["version"], self.proxy.stratum, self.proxy.web, "token-file", "admin: may change everything",
                     f"of {status['descriptor_limit']:,}"):
            self.assertIn(each, shown)
        file = self.proxy.directory / "stratumproxyd.toml"
        good = file.read_text(encoding="utf-8")
        file.write_text("[nonsense\n", encoding="utf-8")
        await self.press("Read it again")
        await self.page.until(f"return {said}.startsWith('Refused')", "the refusal")
        await self.page.until(f"return /Outcomerefused[^]*stratumproxyd.toml/.test({text})", "the reason")
        file.write_text(good, encoding="utf-8")
        await self.press("Read it again")
        await self.page.until(f"return {said}.startsWith('Taken over: ')", "what was read")
        await self.page.until(f"return {text}.includes('Outcometaken over') && !{text}.includes('Reason')", "the outcome")

    async def test_pools_and_algorithms_are_added_changed_and_removed(self):
        await self.house()
        await self.proxy.register(self.farm.address)
        await self.open_page()
        await self.show("pools")
        await self.press("Add an algorithm")
        await self.fill(name="newhash", divider="256")
        await self.press("Add", "dialog")
        await self.done()
        await self.press("Add a pool")
        await self.fill(pool="pool.example:3333", algorithm="nothing")
        await self.press("Add", "dialog")
        self.assertEqual(await self.refusal(), "Not done: unknown algorithm")
        await self.fill(algorithm="newhash")
        await self.press("Add", "dialog")
        await self.done()
        pool, algorithm = "/api/v1/pools/pool.example:3333", "/api/v1/algorithms/newhash"
        self.assertEqual((await self.ask("GET", pool))["algorithm"], "newhash")

        await self.page.run("const choice = document.querySelector('#view-pools select'); choice.value = '1';"
                            "choice.dispatchEvent(new Event('change'))")
        await self.page.type("#view-pools input[type=search]", "pool.example")
        await self.open_row("pools", "pool.example:3333")
        await self.press("Change", "#drawer")
        await self.page.until("return document.querySelector('dialog')", "the form")
        await self.fill(divider="512", reconnect_hosts="a.example b.example")
        await self.press("Change", "dialog")
        await self.done()
        row = await self.ask("GET", pool)
        self.assertEqual((row["divider"], row["reconnect_hosts"], row["mode"], row["verify"]),
                         (512, ["a.example", "b.example"], "dedicated", "basic"))

        await self.page.type("#view-pools .half:last-child input[type=search]", "newhash")
        await self.open_row("pools", "newhash")
        await self.press("Remove", "#drawer")
        await self.press("Remove", "dialog")
        self.assertIn("Not done: ", await self.refusal())
        await self.press("Cancel", "dialog")
        await self.press("Change", "#drawer")
        await self.page.until("return document.querySelector('dialog')", "the form")
        await self.ask("PATCH", algorithm, {"aliases": ["new-hash"]})
        await self.fill(divider="1024")
        await self.press("Change", "dialog")
        self.assertEqual(await self.refusal(), "Not done: somebody else has changed it meanwhile.")
        await self.press("Cancel", "dialog")
        self.assertEqual((await self.ask("GET", algorithm))["divider"], 256)

        await self.open_row("pools", "pool.example:3333")
        await self.press("Remove", "#drawer")
        await self.press("Remove", "dialog")
        await self.done()
        await self.ask("GET", pool, status=404)
        await self.open_row("pools", "newhash")
        await self.press("Remove", "#drawer")
        await self.press("Remove", "dialog")
        await self.done()
        await self.ask("GET", algorithm, status=404)

    async def buttons_everywhere(self, name):
        """What can be changed, on all views and in the drawers."""
        found = set()
        for view in "sessions", "bans", "pools", "status":
            await self.show(view)
            if view in ("sessions", "bans"):
                await self.table_of(view, len, view)
            found.update(await self.page.run(SHOWN, CHANGING))
        for view, row in ("workers", "rig1"), ("accounts", name), ("pools", self.farm.address):
            await self.open_row(view, row)
            found.update(await self.page.run(SHOWN, CHANGING))
        return found

    async def test_a_token_that_may_only_read_changes_nothing(self):
        await self.house(config=LONG_GRACE)
        name = await self.proxy.register(self.farm.address)
        await self.miner(self.proxy, name)
        (await self.miner(self.proxy, name, "lost")).reset()
        await self.ask("POST", "/api/v1/bans", {"subject": "192.0.2.1", "reason": "a test"}, 201)
        token = (await self.ask("POST", "/api/v1/tokens", {"name": "eyes", "role": "read-only"}, 201))["token"]
        await self.open_page(token=token)
        await self.page.until("return document.body.dataset.may === 'read'", "the role")
        self.assertEqual(await self.buttons_everywhere(name), set())
        for view in "sessions", "bans", "pools", "status":
            await self.show(view)
            said = await self.page.run(
                f"return [...document.querySelectorAll('#view-{view} .reading-only')].map((each) => each.offsetParent !== null)"
            )
            self.assertTrue(said and all(said), f"{view} says why")
        self.assertIn("may read everything and change nothing", await self.page.text("#view-status"))
        await self.show("audit")
        await self.table_of("audit", len, "the audit log")

    async def test_where_no_token_is_needed_everything_can_be_changed(self):
        await self.house(config=LONG_GRACE, has_token=False)
        name = await self.proxy.register(self.farm.address)
        await self.miner(self.proxy, name)
        (await self.miner(self.proxy, name, "lost")).reset()
        await self.ask("POST", "/api/v1/bans", {"subject": "192.0.2.1", "reason": "a test"}, 201)
        await self.page.go(f"http://{self.proxy.web}/")
        await self.page.until("return document.body.dataset.may === 'change'", "the role")
        self.assertEqual(await self.buttons_everywhere(name), set(CHANGING))
        await self.show("status")
        self.assertIn("none is needed", await self.page.text("#view-status"))


if __name__ == "__main__":
    main()
