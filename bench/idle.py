"""Many idle TLS sessions: what each costs in memory, and how long a delivery takes to reach one."""
import json
import subprocess
import threading

from measure import Wrong
from peers.peer import Broken
from session import say
from work import WATCHED

READY_SECONDS = 900
DELIVERIES, FEWER = 300, 40  # one at a time: Dovecot tells of each after about a second
RATE = 50  # a second: latency of a calm server


def measure(servers, sessions):
    """server -> {"sessions", "memory_each", "p50_us", "p99_us", "failed"}.

    The peers hold a hundredth of the sessions."""
    result = {}
    for name, peer in servers.peers.items():
        if name == "postfix":
            continue
        count = sessions if name == "postrider" else max(sessions // 100, 1)
        say(f"{count} idle TLS sessions on {peer.title}")
        result[name] = {"title": peer.title, "sessions": count,
                        "failed": servers.failed.get(name, "")}
        if result[name]["failed"]:
            continue
        try:
            servers.need_box(peer, WATCHED)
            peer.resume()
            servers.log_in(peer, WATCHED)
            if name != "postrider":
                peer.restart()  # else processes of earlier sessions are there to be reused
            result[name].update(hold(servers, peer, count))
            say("    {:,.1f} KiB each; 250 to EXISTS p50 {:,} us, p99 {:,} us".format(
                result[name]["memory_each"] / 1024, result[name]["p50_us"], result[name]["p99_us"]))
        except (Wrong, Broken) as why:
            result[name]["failed"] = str(why)
            say(f"    {peer.title}: {why}")
        finally:
            peer.pause()
    return result


def hold(servers, peer, count):
    """Opens the sessions, weighs them, lets the load measure deliveries, and ends it."""
    peer.group.settle()
    words = [servers.place.build / "bench" / "bench-load", "idle", "--port", peer.ports["imaps"],
             "--tls", *servers.of(WATCHED), "--connections", count, "--deliver", peer.ports["lmtp"],
             "--count", DELIVERIES if peer.name == "postrider" else FEWER, "--rate", RATE]
    empty = peer.group.memory()
    with subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as load:
        limit = threading.Timer(READY_SECONDS, load.kill)
        limit.start()
        try:
            told = watch(load, peer)
        finally:
            limit.cancel()
    each = (told.pop("memory") - empty) / count
    return {"memory_each": each, "empty": empty, **told}


def watch(load, peer):
    said = []
    for line in load.stderr:
        said.append(line)
        if line.strip() == "ready":
            break
    else:
        raise Wrong(f"no sessions: {''.join(said)[-300:]} {load.stdout.read()[-300:]}")
    memory = peer.group.memory()
    out, err = load.communicate()
    if not out:
        raise Wrong(f"bench-load ended with {load.returncode}: {err[-300:]}")
    told = json.loads(out)
    if load.returncode != 0 or told["failed"]:
        raise Wrong(f"{told['failed']} wrong: {told['first_error']}")
    latency = told["latency_us"]
    return {"memory": memory, "p50_us": latency["p50"], "p99_us": latency["p99"],
            "deliveries": told["ok"]}
