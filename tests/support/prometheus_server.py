"""A Prometheus of its own for a test: Debian's program, docs/prometheus as its configuration, minutes made seconds."""
import asyncio
import http.client
import json
import pathlib
import re
import shutil
import tempfile
import urllib.parse

import ports
from waiting import LIMIT, SLOWNESS, at_most, until

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "prometheus"


class PrometheusServer:
    """Scrapes and evaluates each second. What alerts wait for (`for:`) is `patience` seconds."""

    def __init__(self, targets, patience=2):
        self.targets, self.patience = targets, patience
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-prometheus-"))
        self.address = f"127.0.0.1:{ports.free()}"
        self.log = self.directory / "log"
        self.process = None

    @staticmethod
    def available():
        return shutil.which("prometheus") is not None

    def write_configuration(self):
        for file in SOURCE.glob("*.yml"):
            text = file.read_text(encoding="utf-8")
            text = re.sub(r"(scrape_interval|evaluation_interval): \S+", r"\1: 1s", text)
            text = re.sub(r"^( +for): \S+$", rf"\1: {self.patience}s", text, flags=re.M)
            text = text.replace('targets: ["127.0.0.1:8080"]', f"targets: {json.dumps(self.targets)}")
            (self.directory / file.name).write_text(text, encoding="utf-8")

    async def start(self):
        self.write_configuration()
        with open(self.log, "wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                "prometheus",
                f"--config.file={self.directory}/prometheus.yml",
                f"--storage.tsdb.path={self.directory}/data",
                f"--web.listen-address={self.address}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        await until(self._is_ready, f"Prometheus is ready; {self.log}", 30 * SLOWNESS, pause=0.1)
        return self

    async def stop(self):
        if self.process and self.process.returncode is None:
            self.process.terminate()
            try:
                await at_most(self.process.wait(), "Prometheus' end", 20 * SLOWNESS)
            except AssertionError:
                self.process.kill()
                await self.process.wait()
                raise
        shutil.rmtree(self.directory, ignore_errors=True)

    def _get(self, path):
        connection = http.client.HTTPConnection(self.address, timeout=LIMIT)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    async def _is_ready(self):
        if self.process.returncode is not None:
            raise AssertionError(f"Prometheus ended: {self.log.read_text(errors='replace')[-2000:]}")
        try:
            return (await asyncio.to_thread(self._get, "/-/ready"))[0] == 200
        except OSError:
            return False

    async def ask(self, path, **parameters):
        """The member `data` of an answer of the HTTP API."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        status, text = await asyncio.to_thread(self._get, f"/api/v1/{path}{query}")
        if status != 200:
            raise AssertionError(f"{path}{query}: {status} {text}")
        return json.loads(text)["data"]

    async def query(self, expression):
        """The rows of an instant vector, as (labels, value)."""
        data = await self.ask("query", query=expression)
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]

    async def until(self, expression, what, limit=20 * SLOWNESS):
        """The rows, as soon as there are some."""
        return await until(lambda: self.query(expression), f"{what}: {expression}", limit, pause=0.2)

    async def alerts(self, name):
        """The alerts of this name that are active: pending or firing."""
        return [alert for alert in (await self.ask("alerts"))["alerts"] if alert["labels"]["alertname"] == name]
