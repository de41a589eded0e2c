"""An ordinary asyncio client, as benchmark clients are written: aiohttp on uvloop, a stamp for each event.

    python aiohttp_client.py URL STREAMS BODY_FILE [--spread-s S] [--stamps FILE]

Each stream reads ``iter_any``, splits lines, and takes ``perf_counter_ns`` (CLOCK_MONOTONIC here) at each
``data:`` line. Prints one line of JSON; ``--stamps`` also writes each stream's id and stamps as a line of JSON.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

import aiohttp
import uvloop


async def _stream(session: aiohttp.ClientSession, url: str, body: bytes, wait_s: float) -> tuple[str, list[int]]:
    await asyncio.sleep(wait_s)
    identity, stamps, rest = "", [], b""
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
        response.raise_for_status()
        async for piece in response.content.iter_any():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    stamps.append(time.perf_counter_ns())
                    if not identity:
                        identity = json.loads(line[5:])["id"]
    return identity, stamps


async def _run(url: str, streams: int, body: bytes, spread_s: float) -> list[tuple[str, list[int]]]:
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        waits = [spread_s * n / streams for n in range(streams)]
        return await asyncio.gather(*(_stream(session, url, body, wait_s) for wait_s in waits))


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("streams", type=int)
    parser.add_argument("body", type=Path)
    parser.add_argument("--spread-s", type=float, default=0.05)
    parser.add_argument("--stamps", type=Path)
    given = parser.parse_args()
    taken = uvloop.run(_run(given.url, given.streams, given.body.read_bytes(), given.spread_s))
    if given.stamps:
        with given.stamps.open("w") as file:
            for identity, stamps in taken:
                file.write(json.dumps({"id": identity, "stamps_ns": stamps}) + "\n")
    first = min(stamps[0] for _, stamps in taken)
    last = max(stamps[-1] for _, stamps in taken)
    print(json.dumps({"events": sum(len(stamps) for _, stamps in taken), "first_ns": first, "last_ns": last}))


if __name__ == "__main__":
    main()
