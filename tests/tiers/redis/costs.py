"""Stories that count: loads of many processes, commands and round trips, and the demo."""

import os
import re
import subprocess
import tempfile

from world import PATIENT, automatic, two


def t19_a_hit_costs_one_command_and_a_miss_a_lease_more(world):
    server, a, b = two(world)
    automatic(a, b)
    a.tell("many 0 64")
    for nth in range(64):
        a.result(f"k{nth}")
    a.filled(64)
    sets = server.calls("set")
    reads = server.calls("mget")
    b.tell("many 0 64")
    for nth in range(64):
        assert b.result(f"k{nth}") == ("l2", "from_a")
    assert server.calls("mget") - reads == b.l2()["reads"], "one command for each look"
    assert server.calls("set") == sets, "hits take no leases"
    looks = a.l2()["reads"]
    assert looks <= 64 and a.state()["leases"] == 64


def t01_in_the_demo_of_a_cluster_no_fetch_fails_and_nothing_old_stays(world):
    with tempfile.TemporaryDirectory(prefix="kvl-redis-") as folder:
        demo = subprocess.run([os.environ["KVL_REDIS_DEMO"], "4", "3"], capture_output=True, text=True, timeout=100, env={**os.environ, "TMPDIR": folder})
        assert os.listdir(folder) == [], "it removes what it has made"
    assert demo.returncode == 0, demo
    assert "failed fetches: 0\n" in demo.stdout and "old versions: none, " in demo.stdout, demo
    assert "killed" in demo.stdout and len(re.findall(r"^[012] +[1-9]", demo.stdout, re.M)) >= 3, demo
