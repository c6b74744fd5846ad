"""Run several programs as one: in order of readiness, restarted when they die, stopped in reverse, none left behind."""

import asyncio
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pelangi.local.process import Child, ChildFailedError, Command, LineSink, port_taken

STATE_FILE = "up.json"
GRACE_SECONDS = 15.0
HEALTHY_SECONDS = 30.0
BACKOFF_SECONDS = (0.5, 30.0)


class PortsTakenError(RuntimeError):
    """Ports that somebody else listens on; the message names each with the program that wanted it."""


def nothing() -> None:
    """No preparation."""


@dataclass(frozen=True)
class Program:
    """One program: `prepare` may block and runs before `command` is asked for; it is ready when `ready` says so."""

    name: str
    command: Callable[[], Command]
    ready: Callable[[], bool]
    ports: tuple[int, ...] = ()
    prepare: Callable[[], None] = nothing
    ready_seconds: float = 60.0


@dataclass(frozen=True)
class Stage:
    """Programs that start side by side; `after` (blocking) runs when all of them are ready."""

    programs: tuple[Program, ...]
    after: Callable[[], None] = nothing


@dataclass
class _Running:
    program: Program
    child: Child
    ready_s: float
    restarts: int = 0
    state: str = "ready"


@dataclass
class Supervisor:
    """The run of all stages. State (pids, ports, seconds) is in `<folder>/up.json` while it lasts."""

    stages: Sequence[Stage]
    folder: Path
    sink: LineSink
    backoff: tuple[float, float] = BACKOFF_SECONDS
    on_ready: Callable[[float], None] = lambda _: None
    _running: dict[str, _Running] = field(default_factory=dict)
    _children: list[list[Child]] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _began: float = field(default_factory=time.monotonic)
    _ready_s: float | None = None

    async def run(self) -> int:
        """Start, then watch until SIGINT or SIGTERM. Returns 0, or 1 when the start failed; all children have ended."""
        with self._signals():
            try:
                with _only_run(self.folder):
                    return await self._run()
            except (ChildFailedError, PortsTakenError, RuntimeError) as error:
                self.sink("up", str(error))
                return 1

    async def _run(self) -> int:
        check_ports([program for stage in self.stages for program in stage.programs])
        watchers: list[asyncio.Task[None]] = []
        try:
            if await self._unless_stopped(self._start_all()):
                self._ready_s = time.monotonic() - self._began
                self._save()
                self.on_ready(self._ready_s)
                watchers = [asyncio.create_task(self._watch(running)) for running in self._running.values()]
                await self._stopping.wait()
            return 0
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._stop_all()
            (self.folder / STATE_FILE).unlink(missing_ok=True)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do it; False when a signal came first. Its failure is raised."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        for unfinished in (task, stop):
            if not unfinished.done():
                unfinished.cancel()
                with suppress(asyncio.CancelledError):
                    await unfinished
        if task.cancelled():
            return False
        task.result()
        return True

    async def _start_all(self) -> None:
        for stage in self.stages:
            children: list[Child] = []
            self._children.append(children)
            try:
                async with asyncio.TaskGroup() as group:
                    for program in stage.programs:
                        group.create_task(self._bring_up(program, children))
            except* Exception as failed:  # noqa: BLE001  # raised again, without the group around it
                raise failed.exceptions[0] from None
            await in_thread(stage.after)

    async def _bring_up(self, program: Program, children: list[Child]) -> None:
        began = time.monotonic()
        await in_thread(program.prepare)
        child = Child(self._with_log(program.command()), self.sink)
        children.append(child)
        child.start()
        await child.wait_ready_async(program.ready, program.ready_seconds)
        self._running[program.name] = _Running(program, child, time.monotonic() - began)
        self._save()

    def _with_log(self, command: Command) -> Command:
        log = self.folder / "log" / f"{command.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        return replace(command, log=log)

    async def _watch(self, running: _Running) -> None:
        """Restart a child whenever it has ended: at once-ish first, slower each time, until it stays up for a while."""
        shortest, longest = self.backoff
        delay, child = shortest, running.child
        while True:
            while child.running:  # noqa: ASYNC110  # a process's end is no event of this loop
                await asyncio.sleep(0.1)
            delay = shortest if time.monotonic() - child.started_at > HEALTHY_SECONDS else delay
            self._note(running, f"ended with code {child.exit_code}, starting it again in {delay:.1f} s", "restarting")
            child.kill()  # what it may have left in its group
            await asyncio.sleep(delay)
            delay = min(delay * 2, longest)
            child.start()
            running.restarts += 1
            self._save()  # the new pid, before it is ready: whoever looks for the old one finds nobody
            try:
                await child.wait_ready_async(running.program.ready, running.program.ready_seconds)
            except ChildFailedError:
                if child.running:  # it hangs: end it, the loop begins again
                    child.kill()
                continue
            self._note(running, "is back", "ready")

    def _note(self, running: _Running, text: str, state: str) -> None:
        running.state = state
        self.sink("up", f"{running.program.name} {text}")
        self._save()

    async def _stop_all(self) -> None:
        """Later stages first, so that a service can still finish what it does with the parts it needs."""
        for children in reversed(self._children):
            await asyncio.gather(*(child.stop_async(GRACE_SECONDS) for child in children))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first signal stops in order; a second one ends all children at once."""
        loop = asyncio.get_running_loop()

        def handle() -> None:
            if self._stopping.is_set():
                for child in (child for children in self._children for child in children):
                    child.signal(signal.SIGKILL)
            self._stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, handle)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _save(self) -> None:
        programs = {
            name: {
                "pid": running.child.pid,
                "ports": list(running.program.ports),
                "ready_s": round(running.ready_s, 2),
                "restarts": running.restarts,
                "state": running.state,
            }
            for name, running in self._running.items()
        }
        state = {
            "pid": os.getpid(),
            "ready_s": None if self._ready_s is None else round(self._ready_s, 2),
            "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "programs": programs,
        }
        fresh = self.folder / f"{STATE_FILE}.new"
        fresh.write_text(json.dumps(state, indent=2) + "\n")
        fresh.replace(self.folder / STATE_FILE)


def check_ports(programs: Sequence[Program]) -> None:
    """Raise PortsTakenError naming every port that is taken, and who wanted it."""
    taken = [f"port {port} (for {program.name})" for program in programs for port in program.ports if port_taken(port)]
    if taken:
        raise PortsTakenError(f"in use by another program: {', '.join(taken)}")


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Two runs on one data folder would destroy it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"another run uses {folder}") from None
        yield


async def in_thread(function: Callable[[], None]) -> None:
    """Run what blocks in a daemon thread, which (unlike asyncio.to_thread) never holds up the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def work() -> None:
        error: Exception | None = None
        try:
            function()
        except Exception as caught:  # noqa: BLE001  # handed to whoever awaits
            error = caught
        with suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=work, name=f"prepare-{function!r}"[:60], daemon=True).start()
    await done
