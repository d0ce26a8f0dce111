"""A stand-in for a service process: says that it is ready, and ends as its name tells it to.

stubborn: ignores SIGTERM. misconfigured: ends with 3. broken: ends with 1 after two lines.
Others drain and end with 0.
"""

import asyncio
import signal
import sys
import threading

from chandler.streams.telemetry.health import Health, endpoint
from services import exits, runner


async def main(name: str, port: int, mode: str) -> int:
    health = Health()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set if mode != "stubborn" else lambda: None)
    async with endpoint("127.0.0.1", port, name, health, bytes):
        print(f"{name} listens", flush=True)
        health.ready, health.state = True, "running"
        await stop.wait()
        print(f"{name} drained", flush=True)
    return 0


if __name__ == "__main__":
    if sys.argv[3] == "misconfigured":
        print("simulator.sped is unknown", flush=True)
        sys.exit(exits.MISCONFIGURED)
    if sys.argv[3] == "broken":
        print("reads its state\nthe state is no JSON", flush=True)
        sys.exit(exits.FAILED)
    runner.END_S_MAX = 0.2
    threading.Thread(target=runner.end_with_parent, daemon=True).start()
    sys.exit(asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
