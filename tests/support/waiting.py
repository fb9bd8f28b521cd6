"""Waiting without sleeping: conditions woken by events, each with a time limit.

`Changes` is for what happens inside of the test's own loop. `until` is for what can only be asked (a metric, a file of
/proc): the one bounded poll of the suite.
"""
import asyncio
import inspect
import os
import time

SLOWNESS = float(os.environ.get("SPX_SLOW", "1"))  # sanitizer builds: 5 or so
LIMIT = 10.0 * SLOWNESS


def figure(small, full):
    """A size of a test: small by default, the figure of a farm with SPX_SCALE=full (scripts/test --full)."""
    return full if os.environ.get("SPX_SCALE") == "full" else small


class Changes:
    """Wakes everybody who waits for a condition whenever something has happened."""

    def __init__(self):
        self._waiting = set()

    def note(self):
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def until(self, condition, what, limit=LIMIT):
        """The condition's first true value. Fails with `what` when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while not (value := condition()):
            left = deadline - loop.time()
            if left <= 0:
                raise AssertionError(f"not within {limit:g} s: {what}")
            waiter = loop.create_future()
            self._waiting.add(waiter)
            try:
                await asyncio.wait_for(waiter, left)
            except asyncio.TimeoutError:
                pass
            finally:
                self._waiting.discard(waiter)
        return value


async def until(condition, what, limit=LIMIT, pause=0.02):
    """Asks again and again, at most `limit` seconds, for a condition that raises no event."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}")
        await asyncio.sleep(pause)


async def at_most(awaitable, what, limit=LIMIT):
    """The awaitable's value, or a failure that says what did not come."""
    try:
        return await asyncio.wait_for(awaitable, limit)
    except asyncio.TimeoutError:
        raise AssertionError(f"not within {limit:g} s: {what}") from None


async def paced(rate, seconds):
    """Load of a known rate: yields rate * seconds times, each at its own moment of the clock; catches up when late."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(int(rate * seconds)):
        ahead = start + number / rate - loop.time()
        await asyncio.sleep(max(0, ahead))
        yield number
