"""docs/prometheus and docs/grafana: Prometheus' own tools take them, every alert is tested, every metric exists."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
RULES = [DOCS / "prometheus" / name for name in ("rules.yml", "alerts.yml")]
TESTS = [HERE / name for name in ("rules_test.yml", "alerts_test.yml")]
DASHBOARDS = sorted((DOCS / "grafana").glob("*.json"))
OF_PROMETHEUS = {"up", "ALERTS"}
# What Grafana puts in before it asks; the regular expressions are those of its "All".
VARIABLES = {"$__rate_interval": "5m", "$__range": "6h"}


def metrics_of_the_documentation():
    """Name -> type, from the tables of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \|", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.M)
    return dict(rows)


def recorded():
    return set(re.findall(r"^ +- record: (\S+)$", RULES[0].read_text(encoding="utf-8"), re.M))


def names_in(expression):
    """The metrics that a PromQL expression asks for."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"(?<![\w:$.])[A-Za-z_:][\w:]*(?![\w:]*\s*\()", bare)
    return {w for w in words if w not in ("and", "or", "unless", "offset", "bool", "by", "on")}


def panels_of(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions(value):
    """Every member `expr` below, wherever it stands."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "expr":
                yield member
            else:
                yield from expressions(member)
    elif isinstance(value, list):
        for member in value:
            yield from expressions(member)


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


class Prometheus(unittest.TestCase):
    def setUp(self):
        self.assertTrue(shutil.which("promtool"), "promtool is missing: package prometheus")

    def test_configuration_and_rules_are_valid(self):
        for command in (("config", DOCS / "prometheus" / "prometheus.yml"), ("rules", *RULES)):
            result = promtool("check", *command)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("SUCCESS", result.stdout)

    def test_rules_and_alerts_do_what_their_tests_say(self):
        result = promtool("test", "rules", *TESTS)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_alert_is_tested_both_ways_and_says_what_to_do(self):
        text = RULES[1].read_text(encoding="utf-8")
        cases = TESTS[1].read_text(encoding="utf-8")
        alerts = re.split(r"^ +- alert: ", text, flags=re.M)[1:]
        self.assertGreater(len(alerts), 10)
        for alert in alerts:
            name = alert.split("\n", 1)[0]
            for outcome in ("fires", "is quiet"):
                self.assertTrue(re.search(rf"name: {name} {outcome}\b", cases), f"no test that {name} {outcome}")
            self.assertRegex(alert, r"severity: (critical|warning|info)\n")
            for member in ("expr:", "summary:", "description:"):
                self.assertIn(member, alert, name)
            if "increase(" not in alert:
                self.assertRegex(alert, r"\n +for: \d+m\n", name)

    def test_every_recording_rule_is_tested(self):
        cases = TESTS[0].read_text(encoding="utf-8")
        for name in recorded():
            self.assertTrue(re.search(rf"expr: (round\()?{re.escape(name)}\b", cases), f"no test of {name}")

    def test_every_metric_that_is_named_exists(self):
        documented = metrics_of_the_documentation()
        self.assertGreater(len(documented), 60)
        known = set(documented) | recorded()
        for name, kind in documented.items():
            if kind == "histogram":
                known |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
        for file in [*RULES, *TESTS, *DOCS.glob("prometheus/*.md"), *DOCS.glob("grafana/*.md")]:
            for word in re.findall(r"(?<![\w:])(?:\w+:)?(?:proxy|process)_[\w:]*\w", file.read_text(encoding="utf-8")):
                self.assertIn(word, known, file.name)


class Grafana(unittest.TestCase):
    def boards(self):
        self.assertEqual([file.stem for file in DASHBOARDS], ["account", "overview", "pool"])
        return [json.loads(file.read_text(encoding="utf-8")) for file in DASHBOARDS]

    def test_every_query_is_one_that_prometheus_takes(self):
        self.assertTrue(shutil.which("promtool"), "promtool is missing: package prometheus")
        lines, count = ["groups:", "- name: g", "  rules:"], 0
        for board in self.boards():
            for expression in expressions(board):
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                expression = re.sub(r"\$\w+", ".*", expression)
                self.assertNotIn("$", expression)
                lines += [f"  - record: q{count}", f"    expr: {json.dumps(expression)}"]
                count += 1
        self.assertGreater(count, 90)
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as rules:
            rules.write("\n".join(lines) + "\n")
            rules.flush()
            result = promtool("check", "rules", rules.name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn(f"{count} rules found", result.stdout)

    def test_every_query_asks_for_metrics_that_exist(self):
        documented = metrics_of_the_documentation()
        shown = set()
        for board in self.boards():
            for expression in expressions(board):
                for name in names_in(expression):
                    base = re.sub(r"_(bucket|sum|count)$", "", name)
                    is_known = name in documented or name in OF_PROMETHEUS or documented.get(base) == "histogram"
                    self.assertTrue(is_known, f"{name} in {expression}")
                    shown.add(name)
            for variable in board["templating"]["list"]:
                if variable["type"] == "query":
                    self.assertIn(re.match(r"label_values\((\w+)", variable["definition"])[1], documented)
        # No reader of names that sees none.
        self.assertIn("proxy_worker_speed", shown)
        self.assertIn("proxy_share_round_trip_seconds_bucket", shown)
        self.assertGreater(len(shown), 40)

    def test_variables_and_data_source_are_those_of_the_dashboard(self):
        for board in self.boards():
            variables = {variable["name"]: variable for variable in board["templating"]["list"]}
            self.assertEqual(variables["datasource"]["type"], "datasource")
            self.assertIn("proxy", variables)
            for panel in panels_of(board):
                if panel["type"] == "row":
                    continue
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"}, panel["title"])
                self.assertTrue(panel["targets"], panel["title"])
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], panel["datasource"], panel["title"])
                    for used in re.findall(r"\$(\w+)", target["expr"]):
                        self.assertTrue(used in variables or f"${used}" in VARIABLES, f"{used} in {panel['title']}")
                self.assertEqual(len({t["refId"] for t in panel["targets"]}), len(panel["targets"]))
            for variable in variables.values():
                if variable["type"] == "query":
                    self.assertEqual(variable["query"]["query"], variable["definition"])

    def test_panels_have_a_place_and_a_number_of_their_own(self):
        uids = set()
        for board in self.boards():
            self.assertIsNone(board["id"])
            self.assertGreaterEqual(board["schemaVersion"], 36)
            uids.add(board["uid"])
            numbers = [panel["id"] for panel in panels_of(board)]
            self.assertEqual(len(numbers), len(set(numbers)))
            taken = set()
            for panel in board["panels"]:
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(cells & taken, panel["title"])
                taken |= cells
        self.assertEqual(uids, {"stratumproxy-overview", "stratumproxy-account", "stratumproxy-pool"})

    def test_links_lead_to_dashboards_that_exist(self):
        text = "".join(file.read_text(encoding="utf-8") for file in DASHBOARDS)
        for uid in re.findall(r"/d/([\w-]+)", text):
            self.assertIn(f'"uid": "{uid}"', text)


if __name__ == "__main__":
    unittest.main(module=sys.modules["__main__"], verbosity=2)
