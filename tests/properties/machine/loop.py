"""An event loop whose time is made: where every task waits, the clock goes to the next one's turn at once."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any


class _Jump(selectors.SelectSelector):
    """Waits by moving the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "every task waits for another one"
        self.now += max(timeout, 0.0)
        return []


class MadeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 1000 and passes only in waits, so that a run is the same every time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.set_exception_handler(lambda _, __: None)  # killed processes leave futures behind

    def time(self) -> float:
        return 1000.0 + self._jump.now

    def pass_(self, seconds: float) -> None:
        """Let everybody work for so long."""
        self.run_until_complete(asyncio.sleep(seconds))

    def until(self, done: Callable[[], bool], limit_s: float, step_s: float = 2.0) -> bool:
        """Let everybody work until `done`; whether it came true within the limit."""
        end = self.time() + limit_s
        while not done():
            if self.time() > end:
                return False
            self.pass_(step_s)
        return True

    def do(self, work: Awaitable[Any]) -> Any:
        """The result of one task, the others going on beside it."""
        return self.run_until_complete(work)

    def end(self) -> None:
        """Drop every task that is left."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=30))
        self.close()
