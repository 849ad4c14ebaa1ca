"""A process with an engine of the Python package and an `l2_url`, driven by commands on its input, like worker.c.

    python.py URL
"""

from __future__ import annotations

import json
import sys

import kvlight


def main(url: str) -> None:
    answer = {"from": "nobody"}
    try:
        tasks: kvlight.Tasks[str, dict[str, str]] = kvlight.Tasks(
            provider=lambda keys: {key: dict(answer) for key in keys}, l2_url=url, dump=lambda value: json.dumps(value).encode(), load=json.loads,
            cache_ttl_ms=3_600_000, timeout_ms=20_000, l2_timeout_ms=10_000)
    except (ImportError, kvlight.Error) as error:
        print("refused", error, flush=True)
        return
    with tasks:
        print("ready", flush=True)
        for line in sys.stdin:
            command, _, rest = line.rstrip("\n").partition(" ")
            key, _, value = rest.partition(" ")
            if command == "fetch":
                result = tasks.results_wait([key])[0]
                found = result.value or {"from": "-"}
                print("done", key, 0, result.source, found["from"], flush=True)
            elif command == "put":
                tasks.put(key, {"from": value})
                print("ok 0", flush=True)
            elif command == "auto":
                answer["from"] = rest
                print("ok 0", flush=True)
            elif command == "state":
                print("state", json.dumps(tasks.l2_state()), flush=True)


main(sys.argv[1])
