"""Prometheus' text format, read into values."""
import re

_LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Metrics:
    """One scrape: rows of (name, labels, value)."""

    def __init__(self, text):
        self.text = text
        self.rows = []
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                self.types[name] = kind
            if not line or line.startswith("#"):
                continue
            match = _LINE.match(line)
            if not match:
                raise AssertionError(f"no line of the text format: {line!r}")
            name, labels, value = match.groups()
            values = {
                key: re.sub(r'\\[\\"n]', lambda m: _ESCAPES[m.group()], text)
                for key, text in _LABEL.findall(labels or "")
            }
            self.rows.append((name, values, float(value)))

    def all(self, name, **labels):
        """The values of every series with these labels, as (labels, value)."""
        return [
            (have, value)
            for key, have, value in self.rows
            if key == name and all(have.get(k) == v for k, v in labels.items())
        ]

    def get(self, name, **labels):
        """The one value with these labels, or None when there is no such series."""
        found = self.all(name, **labels)
        if len(found) > 1:
            raise AssertionError(f"{name}{labels} names {len(found)} series")
        return found[0][1] if found else None

    def sum(self, name, **labels):
        return sum(value for _, value in self.all(name, **labels))

    def totals(self):
        """Every series that must never fall: counters, and the parts of histograms."""
        return {
            (name, tuple(sorted(labels.items()))): value
            for name, labels, value in self.rows
            if name.endswith("_total")
        }
