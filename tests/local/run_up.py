"""`pelangi up` with stand-ins for our own services: `run_up.py SETTINGS_JSON`; started by test_supervisor."""

import asyncio
import json
import sys
from pathlib import Path

from pelangi.local.up import UpSettings, up


def standin(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(Path(__file__).with_name("standin.py")), *arguments)


if __name__ == "__main__":
    values = json.loads(sys.argv[1])
    sys.exit(asyncio.run(up(UpSettings(folder=Path(values.pop("folder")), child=standin, **values))))
