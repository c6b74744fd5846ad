"""Tell every waiting task of this process that something was written."""

import asyncio


class Signal:
    """A counter of writes that can be waited on; no write between a look and a wait is missed."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake all waiters."""
        self.count += 1
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait_past(self, count: int, timeout_s: float) -> None:
        """Return once `self.count` is past `count`, at the latest after `timeout_s`."""
        if self.count > count:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return
