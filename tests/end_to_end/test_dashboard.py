"""The dashboard in a headless Chromium: a newcomer's path, hostile names, thousands of workers, the token, themes, a phone."""
import asyncio
import json
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import browser
from canaries import POOL_PASSWORD, WEB_TOKEN
from dashboard_house import QUICK_SPEED, ROWS, DashboardTest
from house import main
from waiting import LIMIT, SLOWNESS, at_most, until

WORKERS = 2000
IN_TIME = 100 * 5 * SLOWNESS  # milliseconds: 100 are meant; a loaded machine of a few cores takes more
VIEWS = ("overview", "workers", "sessions", "accounts", "pools", "events", "bans", "audit", "status", "register")
MARKUP = "<script>window.taken=1</script><img src=x onerror=window.taken=1>"
HOSTILE = (
    MARKUP,
    "\"'><svg/onload=window.taken=1>",
    "\u202egnp.evil\u202c \u2067rtl",
    "x" * 5000,
    "</td></tr></table><h1>",
    "{{7*7}} ${1}",
)


@unittest.skipIf(browser.WHY_NOT, browser.WHY_NOT)
class Dashboard(DashboardTest):
    async def test_the_path_of_a_newcomer(self):
        """Open, register, start the miner with the shown command line, see its hashrate."""
        await self.house()
        steps, begun = [], time.monotonic()

        def step(what):
            nonlocal begun
            now = time.monotonic()
            steps.append(f"{what} {now - begun:.1f} s")
            begun = now

        await self.open_page()
        await self.page.until("return !document.querySelector('#welcome').hidden", "the welcome")
        step("open and sign in")

        await self.page.click("#welcome a")
        # The known pools are there to choose from.
        await self.page.until(
            "return [...document.querySelectorAll('#known-pools option')].some((o) => o.value === arguments[0])",
            "the pool", self.farm.address,
        )
        await self.page.type("input[name=pool]", self.farm.address)
        await self.page.type("input[name=user]", "wallet")
        await self.page.type("input[name=password]", POOL_PASSWORD)
        await self.page.click("#register button[type=submit]")
        await self.page.until("return !document.querySelector('#registered').hidden", "the command line")
        step("register")

        await self.page.click("#registered .copy")
        await self.page.until("return document.querySelector('#registered .copy').textContent === 'Copied'", "the copied line")
        line = await self.page.text("#command")
        found = re.fullmatch(r"cgminer -o stratum\+tcp://(\S+) -u ((\w+)\.(\w+)) -p x", line)
        self.assertTrue(found, line)
        address, _, account, rig = found.groups()
        self.assertEqual((address, account, rig), (self.proxy.stratum, await self.page.text("#registered-name"), "rig1"))

        miner = self.new_miner(self.proxy, account, rig, agent="cgminer/4.12.1", mask="1fffe000")
        await miner.start()
        mining = asyncio.create_task(self._mine_on(miner))
        try:
            await self.page.until("return document.querySelector('#arrived .name')?.textContent === 'rig1'", "the worker")
            step("the worker appears")
            await self.page.until(
                "return /[1-9].* [kMGT]?H\\/s/.test(document.querySelector('#arrived .figure').textContent)",
                "its hashrate",
            )
            step("its hashrate")

            await self.page.click("#arrived button")
            last = "return Chart.getChart(document.querySelector('#drawer canvas')).data.datasets[0].data.at(-1)"
            before = await self.page.until(f"{last}?.y > 0 ? {last[7:]} : null", "a point of its chart")
            await self.page.until(
                f"const point = {last[7:]}; return point.x > arguments[0] && point.y > 0",
                "its chart moves", before["x"],
            )
            shares = "return Chart.getChart(document.querySelectorAll('#drawer canvas')[1]).data.datasets[0].data.some((bar) => bar.y > 0)"
            await self.page.until(shares, "its shares in the other chart")
            step("its charts move")
            facts = await self.page.text("#drawer dl")
            for each in ("cgminer/4.12.1", "1fffe000", miner.source, account, self.farm.address):
                self.assertIn(each, facts)
            await self.page.click("#drawer .close")
            await self.show("overview")
            self.assertIn("sha256d", await self.page.text("#tiles"))
            await self.page.until(
                "return document.querySelector('#overview-events').textContent.includes('worker authorized')",
                "the event",
            )
        finally:
            mining.cancel()
        self.assertNotIn(POOL_PASSWORD, await self.page.run("return document.body.textContent"))
        self.say(", ".join(steps))

    async def _mine_on(self, miner):
        loop = asyncio.get_running_loop()
        while True:
            await at_most(miner.submit().reply, "a verdict")
            beat = loop.create_future()
            loop.call_later(0.1, lambda: beat.done() or beat.set_result(None))
            await beat

    async def test_fall_backs_weights_and_refusals_of_the_form(self):
        await self.house()
        other = await self.pool()
        await self.proxy.add_pool(other.address)
        await self.open_page("register", token=None)
        row = "#register fieldset:nth-child({}) "
        await self.page.click("#register .more-pools")
        for number, (pool, weight) in enumerate(((self.farm.address, 70), ("nobody.example:3333", 30)), 1):
            for name, text in (("pool", pool), ("user", f"wallet{number}"), ("weight", str(weight))):
                await self.page.type(row.format(number) + f"[name={name}]", text)
        await self.page.click("#register button[type=submit]")
        await self.page.until(
            "return document.querySelector('#register-fault').textContent.includes('nobody.example:3333 is not known')",
            "the refusal",
        )
        await self.page.type(row.format(2) + "[name=pool]", other.address)
        await self.page.click("#register button[type=submit]")
        await self.page.until("return !document.querySelector('#registered').hidden", "the account")
        _, text = await self.proxy.call("GET", f"/api/v1/users/{await self.page.text('#registered-name')}")
        pools = [(each["pool"], each["user"], each["weight"]) for each in json.loads(text)["pools"]]
        self.assertEqual(pools, [(self.farm.address, "wallet1", 70), (other.address, "wallet2", 30)])

    async def test_hostile_names_are_text(self):
        """Of the miner, of the pool, and, since the proxy lets few of them through, of an API that says anything."""
        await self.house(config={"session": {"grace_seconds": 600}})
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name, "rig-script", agent=MARKUP[:120])
        lost = await self.miner(self.proxy, name, "lost")
        lost.reset()
        await self.ask("POST", "/api/v1/bans", {"subject": "192.0.2.1", "reason": MARKUP}, 201)
        link = await self.farm.link()
        link.push("client.show_message", [MARKUP])

        async def both():
            rows = {each["rig"]: each for each in (await self.ask("GET", "/api/v1/workers"))["workers"]}
            return rows if not rows["lost"]["up"] else None

        workers = await until(both, "the kept session")
        self.assertIn("<script>", workers["rig-script"]["agent"])

        await self.page.before_scripts(f"""
          const real = window.fetch, hostile = {json.dumps(HOSTILE)};
          window.fetch = async (path, options) => {{
            const answer = await real(path, options);
            if (!/api.v1.(workers|links|events|sessions|bans|audit)/.test(path) || !answer.ok) return answer;
            const said = await answer.json();
            for (const list of ['workers', 'links', 'events', 'sessions', 'bans', 'audit']) {{
              const [row] = said[list] ?? [];
              if (!row || row.link > 1000) continue;
              hostile.forEach((text, i) => {{
                const bad = {{...row}};
                for (const key of Object.keys(row))
                  if (typeof row[key] === 'string' && !['time', 'at', 'created_at'].includes(key)) bad[key] = text;
                said[list].push({{...bad, seq: row.seq + i + 1, id: row.id + i + 1, link: 1001 + i, worker: text}});
              }});
            }}
            return new Response(JSON.stringify(said), {{headers: {{'Content-Type': 'application/json'}}}});
          }};
        """)
        await self.open_page("workers")
        await self.show("workers")
        await self.page.until(f"return ({ROWS[7:]}).length === arguments[0]", "the hostile workers", 2 + len(HOSTILE))
        agents = await self.page.run(
            "return seen().map((row) => row.cells[8].textContent)",
        )
        self.assertEqual(sorted(agents), sorted((*(each["agent"] for each in workers.values()), *HOSTILE)))
        wide = "return document.documentElement.scrollWidth - innerWidth"
        for view in VIEWS:
            await self.show(view)
            self.assertLessEqual(await self.page.run(wide), 0, view)
        await self.show("events")
        said = "return [...document.querySelectorAll('#view-events td')].some((cell) => cell.textContent.includes('<script>'))"
        await self.page.until(said, "what the pool said")
        for view, shown, more in ("sessions", "name", len(HOSTILE) + 1), ("bans", "reason", len(HOSTILE) + 1), ("audit", "detail", None):
            await self.show(view)
            there = (
                f"const at = [...document.querySelectorAll('#view-{view} th')].findIndex((each) => each.dataset.id === '{shown}');"
                f"return [...document.querySelectorAll('#view-{view} tbody tr:not(.spacer)')].map((row) => row.cells[at].textContent)"
            )
            texts = await self.page.until(
                f"const texts = (() => {{ {there} }})(); return arguments[0].every((each) => texts.includes(each)) && texts",
                f"the hostile {view}", HOSTILE,
            )
            if more:
                self.assertEqual(len(texts), more)
            for number in range(more or 0):
                await self.page.run(f"document.querySelectorAll('#view-{view} td.action button')[arguments[0]].click()", number)
                self.assertLessEqual(await self.page.run(wide), 0, f"the dialog of row {number} of {view}")
                inner = "const box = document.querySelector('dialog'); return box.scrollWidth - box.clientWidth"
                self.assertLessEqual(await self.page.run(inner), 0, f"the dialog of row {number} of {view}")
                await self.press("Cancel", "dialog")
        await self.show("workers")
        for number in range(len(HOSTILE) + 2):
            await self.page.run(
                "seen()[arguments[0]].querySelector('button').click()",
                number,
            )
            self.assertLessEqual(await self.page.run(wide), 0, f"the drawer of row {number}")
            for button in "Disconnect", "Move", "Ban its address":
                await self.press(button, "aside")
                self.assertLessEqual(await self.page.run(wide), 0, f"{button} of row {number}")
                await self.press("Cancel", "dialog")
        grown = "script, img, svg, h1"
        self.assertEqual(
            await self.page.run(
                f"return [window.taken, document.querySelectorAll(':is(main, aside, dialog, datalist) :is({grown})').length]"
            ),
            [None, 0],
        )
        miner.close()

    async def test_two_thousand_workers(self):
        """Live ones, on shared links. A sort or a search is done at once, and an update changes cells, not rows."""
        self.proxy = await self.daemon(threads=2, config=QUICK_SPEED | {"limits": {"connections": None}})
        self.farm = await self.pool()
        await self.proxy.add_pool(self.farm.address, mode="shared", fixed_difficulty=True)
        name = await self.proxy.register(self.farm.address)
        miners = [self.new_miner(self.proxy, name, f"rack{i // 40}-{i % 40}", agent=f"kit/{i % 7}") for i in range(WORKERS)]
        for at in range(0, WORKERS, 200):
            await asyncio.gather(*(miner.connect() for miner in miners[at : at + 200]))
            self.assertTrue(all(await asyncio.gather(*(miner.log_in(30 * SLOWNESS) for miner in miners[at : at + 200]))))
        await self.open_page("workers")
        await self.show("workers")
        total = f"return document.querySelector('#view-workers .total').textContent === '{WORKERS}'"
        await self.page.until(total, "all workers", limit=3 * LIMIT)
        drawn = await self.page.run(ROWS)
        self.assertLess(len(drawn), 100, "only what is in sight is drawn")
        self.assertEqual(drawn[:3], ["rack0-0", "rack0-1", "rack0-2"])

        # Row elements stay the same nodes while their cells change.
        await self.page.run("""
          window.moved = 0;
          window.before = new Map(seen().map((row) => [row.cells[0].textContent, row]));
          const watch = new MutationObserver((changes) => { moved += changes.length; });
          watch.observe(document.querySelector('#view-workers tbody'), {childList: true});
        """)
        await asyncio.gather(*(miner.next_job(0) for miner in miners[:40]))
        for turn in (1, 2):
            for miner in miners[:40]:
                miner.submit()
            counted = "return seen().slice(0, 20).every((row) => row.cells[3].textContent === String(arguments[0]))"
            await self.page.until(counted, "an update", turn, limit=3 * LIMIT)
        kept = "return [window.moved, seen().every((row) => before.get(row.cells[0].textContent) === row)]"
        self.assertEqual(await self.page.run(kept), [0, True])

        took = await self.page.run("""
          const out = {sort: [], search: []};
          const done = (kind, begun) => { document.body.getBoundingClientRect(); out[kind].push(performance.now() - begun); };
          for (const id of ['hashrate', 'agent', 'name', 'worker', 'accepted', 'name']) {
            const begun = performance.now();
            document.querySelector(`#view-workers th[data-id=${id}] button`).click();
            done('sort', begun);
          }
          const field = document.querySelector('#view-workers input[type=search]');
          for (const text of ['r', 'rack4', 'rack4 kit/3', '127.0.0.1', 'nothing at all', 'rack17-3', '']) {
            const begun = performance.now();
            field.value = text;
            field.dispatchEvent(new Event('input'));
            done('search', begun);
            if (text === 'rack17-3') out.found = document.querySelector('#view-workers .total').textContent;
          }
          const begun = performance.now();
          document.querySelector('#view-workers .scroller').scrollTop = 38 * 1000;
          done('search', begun);
          return out;
        """)
        self.assertEqual(took["found"], f"11 of {WORKERS}")
        worst = {kind: max(times) for kind, times in took.items() if kind != "found"}
        self.say(f"{WORKERS} live workers: slowest sort {worst['sort']:.1f} ms, slowest search {worst['search']:.1f} ms")
        self.assertLess(max(worst.values()), IN_TIME)
        await self.page.until(f"return ({ROWS[7:]}).includes('rack25-0')", "the rows in the middle")
        for miner in miners:
            miner.close()

    async def test_the_tooltip_of_a_cell_is_that_of_its_text(self):
        await self.house()
        await self.open_page()
        titles = await self.page.run("""
          const {data_table} = await import('./table.js');
          const root = document.createElement('div');
          document.querySelector('#view-overview').append(root);
          const table = new data_table(root, {columns: [{id: 'it', label: 'It', text: (row) => row.it}], sort: {id: 'it'},
            placeholder: '', empty: '', label: 'One'});
          const title_of = (it) => {
            table.set_rows([{key: 'one', it}]);
            return root.querySelector('tbody tr:not(.spacer) td').title;
          };
          return ['a long text of a row', 'short'].map(title_of);
        """)
        self.assertEqual(titles, ["a long text of a row", ""])

    async def test_the_token_opens_and_is_kept_in_the_tab_only(self):
        await self.house()
        name = await self.proxy.register(self.farm.address)
        await self.miner(self.proxy, name)
        await self.open_page(token=None)
        await self.page.type("#token", "a-token-of-nobody")
        await self.page.click("#sign-in button")
        await self.page.until(
            "return document.querySelector('#sign-in-fault').textContent === 'The proxy does not take this token.'",
            "the refusal",
        )
        await self.page.until("return /1 worker/.test(document.querySelector('#tiles').textContent)", "what is open anyway")
        self.assertEqual(await self.page.text("#overview-events"), "")
        await self.sign_in(WEB_TOKEN)
        await self.page.until("return document.querySelector('#count-workers').textContent === '1'", "the worker")
        kept = await self.page.run(
            "return [location.href, JSON.stringify(localStorage), document.cookie, sessionStorage.getItem('token')]",
        )
        self.assertNotIn(WEB_TOKEN, "".join(kept[:3]))
        self.assertEqual(kept[3], WEB_TOKEN)
        asked = await self.page.run("return performance.getEntriesByType('resource').map((each) => each.name).join(' ')")
        self.assertNotIn(WEB_TOKEN, asked)
        self.assertIn("/api/v1/workers", asked)
        await self.page.go(f"http://{self.proxy.web}/#workers")
        await self.page.call("POST", "refresh", {})
        await self.page.until(f"return ({ROWS[7:]}).length === 1", "signed in after a reload")
        await self.page.click("#sign-out")
        await self.page.until("return !document.querySelector('#sign-in').hidden", "signed out")
        self.assertEqual(await self.page.run("return [sessionStorage.getItem('token'), document.querySelector('#count-workers').textContent]"), [None, ""])

    async def test_a_token_that_may_only_register_is_kept_for_that(self):
        await self.house()
        token = (await self.ask("POST", "/api/v1/tokens", {"name": "kiosk", "role": "register-only"}, 201))["token"]
        await self.open_page(token=None)
        for wrong in "\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9", "two words":
            await self.page.type("#token", wrong)
            await self.page.click("#sign-in button")
            await self.page.until("return document.querySelector('#sign-in-fault').textContent.includes('only visible ASCII')", wrong)
        await self.sign_in(token)
        said = "return document.querySelector('#sign-in-role').textContent"
        await self.page.call("POST", "refresh", {})  # and so it is after a reload
        await self.page.until(f"{said}.includes('register-only, does not allow that')", "what it may not")
        await self.page.run("location.hash = 'workers'")
        await self.page.until("return document.querySelector('#sign-in-role').offsetParent !== null", "what it may not, in another view")
        self.assertEqual(await self.page.run("return document.querySelector('#trouble').hidden"), True)
        await self.show("register")
        for name, text in ("pool", self.farm.address), ("user", "wallet"):
            await self.page.type(f"#register [name={name}]", text)
        await self.page.click("#register button[type=submit]")
        await self.page.until("return !document.querySelector('#registered').hidden", "the account")
        entry = (await self.ask("GET", "/api/v1/audit?limit=1"))["audit"][0]
        self.assertEqual((entry["actor"], entry["action"]), ("kiosk", "user.register"))
        await self.page.click("#sign-out")
        await self.page.until("return sessionStorage.getItem('token') === null && document.querySelector('#sign-out').hidden", "signed out")

    async def test_a_late_refusal_does_not_sign_out(self):
        """One of a request that went before the token was typed."""
        await self.house()
        await self.page.before_scripts("""
          const real = window.fetch;
          window.late = new Promise((done) => { window.let_go = done; });
          window.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (path.startsWith("api/v1/events") && !options.headers.Authorization) {
              await late;
              window.held = true;
            }
            return answer;
          };
        """)
        await self.open_page()
        await self.page.until("return document.querySelector('#connection').textContent === 'live'", "live")
        await self.page.run("let_go()")
        await self.page.until("return window.held", "the late refusal")
        asked = "return performance.getEntriesByType('resource').filter((each) => each.name.includes('/workers')).length"
        before = await self.page.run(asked)
        await self.page.until(f"return (() => {{ {asked} }})() > arguments[0] + 1", "it goes on", before)
        self.assertEqual(await self.page.run("return sessionStorage.getItem('token')"), WEB_TOKEN)

    async def test_an_outage_of_the_proxy_is_said_and_ends(self):
        await self.house()
        await self.open_page()
        await self.page.until("return document.querySelector('#connection').textContent === 'live'", "live")
        await self.proxy.stop()
        await self.page.until(
            "return document.querySelector('#connection').textContent === 'no answer' && !document.querySelector('#trouble').hidden",
            "the outage",
        )
        await self.proxy.restart()
        await self.page.until(
            "return document.querySelector('#connection').textContent === 'live' && document.querySelector('#trouble').hidden",
            "the return",
        )

    async def test_what_cannot_be_had_is_said_while_the_rest_goes_on(self):
        await self.house()
        await self.page.before_scripts("""
          const real = window.fetch;
          window.broken = false;
          window.fetch = async (path, options) => (window.broken && path.startsWith('api/v1/workers')
            ? new Response('{"name":"","error":"the counters cannot be read"}', {status: 503}) : real(path, options));
        """)
        await self.open_page()
        trouble = "return document.querySelector('#trouble').hidden ? '' : document.querySelector('#trouble').textContent"
        self.assertEqual(await self.page.run(trouble), "")
        await self.page.run("window.broken = true")
        await self.page.until(f"return (() => {{ {trouble} }})().startsWith('the counters cannot be read.')", "the reason")
        asked = "return performance.getEntriesByType('resource').filter((each) => each.name.endsWith('/metrics')).length"
        before = await self.page.run(asked)
        await self.page.until(f"return (() => {{ {asked} }})() > arguments[0] + 1", "metrics meanwhile", before)
        self.assertNotEqual(await self.page.run(trouble), "", "it is not forgotten because something else works")
        await self.page.run("window.broken = false")
        await self.page.until(f"return (() => {{ {trouble} }})() === ''", "the end of it")

    async def test_themes_and_a_phone(self):
        await self.house()
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name)
        await miner.mine(3)
        await self.page.prefer("light")
        await self.open_page()
        look = "return [getComputedStyle(document.body).backgroundColor, document.querySelector('#theme').textContent]"
        light, text = await self.page.run(look)
        self.assertEqual(text, "Theme: system")
        await self.page.prefer("dark")
        dark, _ = await self.page.run(look)
        self.assertNotEqual(dark, light)
        await self.page.click("#theme")
        self.assertEqual(await self.page.run(look), [light, "Theme: light"])
        await self.page.call("POST", "refresh", {})
        self.assertEqual(await self.page.run(look), [light, "Theme: light"], "kept")
        await self.page.click("#theme")
        await self.page.prefer("light")
        self.assertEqual(await self.page.run(look), [dark, "Theme: dark"])

        # Tables with rows in them, which would be too wide sooner than an empty one.
        await self.ask("POST", "/api/v1/bans", {"subject": "2001:db8:1234:5678::/64", "reason": "floods with logins"}, 201)
        await self.page.resize(360, 740, mobile=True)
        for view in VIEWS:
            await self.show(view)
            if view == "workers":
                await self.page.until(f"return ({ROWS[7:]}).length === 1", "the worker")
            size = await self.page.run("return [document.documentElement.scrollWidth, innerWidth]")
            self.assertEqual(size, [360, 360], view)
            inner = "return [...document.querySelectorAll('.scroller')].filter((each) => each.offsetParent).map((each) => each.scrollWidth - each.clientWidth)"
            self.assertTrue(all(over <= 0 for over in await self.page.run(inner)), f"a table of {view} is wider than a phone")
        await self.show("workers")
        cells = await self.page.run("""
          const row = document.querySelector('#view-workers tbody tr:not(.spacer)');
          return [...row.cells].filter((cell) => cell.offsetParent).map((cell) => [cell.textContent, cell.clientWidth, cell.scrollWidth - cell.clientWidth]);
        """)
        self.assertEqual([text for text, _, _ in cells][:2], ["rig1", "up"])
        self.assertTrue(all(over <= 0 for _, _, over in cells), f"cells are cut off: {cells}")
        self.assertGreater(sum(width for _, width, _ in cells), 300, "the table has the width of the phone")
        await self.page.click("#view-workers tbody tr:not(.spacer) button")
        self.assertLessEqual(await self.page.run("return Math.max(document.documentElement.scrollWidth, document.querySelector('#drawer').scrollWidth)"), 360)
        await self.show("accounts")
        await self.page.click("#view-accounts tbody tr:not(.spacer) button")
        await self.press("Change", "aside")
        await self.page.until("return document.querySelector('dialog')", "the form")
        await self.press("Add a fall-back or a second pool", "dialog")
        self.assertEqual(await self.page.run(
            "const box = document.querySelector('dialog'), {left, right, bottom} = box.getBoundingClientRect();"
            "return [box.scrollWidth <= box.clientWidth, left >= 0, right <= innerWidth, bottom <= innerHeight]"
        ), [True] * 4, "the form fits on the phone")

    async def test_what_the_proxy_kept_is_shown(self):
        """Its history goes before what the page saw, and its list has accounts that never mined. A stand-in gives both."""
        await self.house()
        name = await self.proxy.register(self.farm.address)
        miner = await self.miner(self.proxy, name)
        await miner.mine(2)
        await self.page.before_scripts(f"""
          const real = window.fetch, started = Math.floor(Date.now() / 60000) * 60 - 1800;
          window.asked = [];
          const said = (value) => new Response(JSON.stringify(value), {{headers: {{'Content-Type': 'application/json'}}}});
          window.fetch = async (path, options) => {{
            const [route, query] = path.split('?');
            if (route === 'api/v1/history') {{
              asked.push(query);
              const none = {{sent: 0, accepted: 0, rejected: 0, unknown: 0, hashrate: 0}};
              const some = {{sent: 10, accepted: 9, rejected: 1, unknown: 0, hashrate: 1e12}};
              const step = query.startsWith('user=') && !query.includes('worker=') ? 300 : 60;
              const series = [...Array(1800 / step).keys()].map((i) => ({{start: started + step * i, ...(step * i < 300 ? none : some)}}));
              return said({{from: started, to: started + 1800, step, series, error: ''}});
            }}
            if (route === 'api/v1/users' && !options.body)
              return said({{users: ['{name}', 'feedfeedfeedfeed'].map((name) => ({{name, last_seen: '2026-01-02T03:04:05Z',
                pools: [{{pool: `${{name.slice(0, 4)}}.example:3333`, user: 'wallet', weight: 0}}]}})), next: ''}});
            return real(path, options);
          }};
        """)
        await self.open_page()
        points = "return Chart.getChart(document.querySelector('#overview-hashrate')).data.datasets[0].data"
        await self.page.until(f"{points}.length > 20", "the history in the chart")
        drawn = await self.page.run(points)
        self.assertEqual([point["x"] for point in drawn], sorted(point["x"] for point in drawn))
        self.assertEqual(drawn[0]["y"], 1e12, "it begins where something was")
        self.assertGreater(drawn[-1]["x"] - drawn[0]["x"], 20 * 60_000)
        bars = await self.page.run(
            "return Chart.getChart(document.querySelector('#overview-shares')).data.datasets[0].data.map((bar) => bar.y)",
        )
        self.assertIn(9, bars)
        # Also where the page did not look meanwhile: of 25 minutes it saw the first 100 seconds and the last.
        together = """
          const {points_of} = await import('./history.js');
          const begun = Date.now() - 1_500_000;
          const seen = [...Array(150).keys()].map((i) => ({time: begun + i * 10_000, hashrate: i < 10 || i >= 140 ? 5 : null}));
          return points_of({algorithm: 'any'}, seen, () => {}).map(({time, hashrate}) => [time - begun, hashrate]);
        """
        whole = await self.page.until(
            f"const points = await (async () => {{ {together} }})(); return points.length === 150 ? null : points",
            "the history in the hole",
        )
        times = [time for time, _ in whole]
        self.assertEqual(times, sorted(times))
        self.assertLessEqual(max(after - before for before, after in zip(times, times[1:])), 60_000, "no hole is left")
        self.assertEqual(sum(value == 5 for _, value in whole), 20, "what the page saw itself stays")
        await self.show("accounts")
        await self.page.until(
            "return document.querySelector('#view-accounts').textContent.includes('feedfeedfeedfeed')",
            "the account that never mined",
        )
        await self.page.type("#view-accounts input[type=search]", "feed.example")
        self.assertEqual([row[0] for row in await self.cells("accounts")], ["feedfeedfeedfeed"], "found by its pool")
        await self.page.type("#view-accounts input[type=search]", name)
        await self.page.run(
            "[...document.querySelectorAll('#view-accounts tbody button')].find((each) => each.textContent === arguments[0]).click()",
            name,
        )
        await self.page.until(
            "return asked.some((query) => query.startsWith(`user=${arguments[0]}&from=`))",
            "the account's history", name,
        )
        # Of steps of five minutes one line is drawn, and as many bars as of shorter ones.
        drawer = "Chart.getChart(document.querySelectorAll('#drawer canvas')[arguments[0]]).data.datasets[0]"
        await self.page.until(f"return {drawer}.data[0]?.y === 1e12", "the history in its chart", 0)
        self.assertGreater(await self.page.run(f"return {drawer}.spanGaps", 0), 300_000)
        times = await self.page.run(f"return {drawer}.data.map((bar) => bar.x)", 1)
        self.assertGreater(len(times), 20)
        self.assertEqual(len({after - before for before, after in zip(times[:20], times[1:20])}), 1, times)
        await self.show("workers")
        await self.page.click("#view-workers tbody tr:not(.spacer) button")
        await self.page.until(
            "return asked.some((query) => query.startsWith(`user=${arguments[0]}&worker=rig1&from=`))",
            "the rig's history", name,
        )

    async def change_answers(self, path, change):
        """What pages get from a path that begins so is what this function makes of its text, in JavaScript."""
        await self.page.before_scripts(f"""
          const real = window.fetch;
          window.fetch = async (path, options) => {{
            const answer = await real(path, options);
            if (!path.startsWith({json.dumps(path)}) || !answer.ok) return answer;
            return new Response(({change})(await answer.text()), {{headers: answer.headers}});
          }};
        """)

    async def test_each_pool_has_the_hashrate_that_a_worker_brings_it(self):
        """An account with weights, whose worker has a row for each of its pools and is on one of them at a time."""
        await self.house()
        await self.miner(self.proxy, await self.proxy.register(self.farm.address))
        await self.change_answers("api/v1/workers", """(text) => {
          const said = JSON.parse(text);
          said.workers = said.workers.flatMap((row) => [{...row, hashrate: 7e12},
            {...row, pool: 'other.example:3333', current: false, hashrate: 3e12}]);
          return JSON.stringify(said);
        }""")
        await self.open_page()
        await self.show("pools")
        await self.page.run("const choice = document.querySelector('#view-pools select'); choice.value = '1';"
                            "choice.dispatchEvent(new Event('change'));"
                            "document.querySelector('#view-pools th[data-id=hashrate] button').click()")

        async def right():
            found = {row[0]: (row[2], row[4]) for row in await self.cells("pools") if row[2].endswith(" TH/s")}
            return found == {self.farm.address: ("7.00 TH/s", "1"), "other.example:3333": ("3.00 TH/s", "0")} or None

        await until(right, "each pool's part")
        await self.show("overview")
        self.assertIn("10.0 TH/s", await self.page.text("#tiles"))

    async def test_workers_are_counted_without_a_token(self):
        """Those, too, that have no series of their own."""
        await self.house()
        await self.miner(self.proxy, await self.proxy.register(self.farm.address))
        await self.change_answers("metrics", "(text) => text.replace(/^(proxy_workers{.*}) 1$/m, '$1 7')")
        await self.open_page(token=None)
        await self.page.until("return /7 workers/.test(document.querySelector('#tiles').textContent)", "all of them")

    async def test_what_grew_between_two_looks_is_spread_over_the_time_between_them(self):
        """Whatever that time is, as long as it is the one that was meant."""
        await self.house()
        await self.open_page()
        of_looks = """
          const {series_store} = await import('./series.js');
          const store = new series_store();
          for (const [at, accepted, pause] of arguments[0])
            store.note(1e12 + at * 1000, [['all', {hashrate: 5, accepted, rejected: 0, unknown: 0}]], pause * 1000);
          return store.of('all').map(({hashrate, accepted}) => [hashrate, accepted === null ? null : Math.round(1e6 * accepted) / 1e6]);
        """
        for every in 3, 28, 37, 75:
            looks = [[at, at, min(every, 60)] for at in range(0, 600, every)]  # 60 a minute
            points = await self.page.run(of_looks, looks)
            self.assertGreaterEqual(len(points), 50, every)
            self.assertEqual(points, [[5, 60]] * len(points), every)
        # Nobody looked for two minutes: that is no time without shares, but one of which nothing is known.
        points = await self.page.run(of_looks, [[0, 0, 5], [8, 8, 5], [128, 128, 5], [136, 136, 5]])
        self.assertEqual(points, [[5, 60], *[[None, None]] * 11, [5, 60], [5, 60]])

    async def test_nothing_is_asked_while_nobody_looks(self):
        await self.house()
        await self.open_page()
        asked = "return performance.getEntriesByType('resource').filter((each) => each.name.includes('/api/')).length"
        await self.page.run("""
          Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.away === true});
          window.away = true;
        """)

        async def is_quiet():
            """Longer than the longest of the short intervals, by the page's own clock."""
            return await self.page.run(f"const count = () => {{ {asked} }}; const before = count();"
                                       "await new Promise((done) => setTimeout(done, 4500)); return count() === before")

        await until(is_quiet, "quiet", limit=30 * SLOWNESS)
        before = await self.page.run(asked)
        await self.page.run("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        await self.page.until(f"const count = () => {{ {asked} }}; return count() > arguments[0]", "it goes on", before)


if __name__ == "__main__":
    main()
