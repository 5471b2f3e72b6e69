#!/usr/bin/env python3
"""A call between two visavis processes, both led by this script: ring, answer, hold, resume, pictures added, keys, a
message, a key frame, figures, and the end. Needs Python 3 and nothing else:

    cargo build --release
    examples/scripted_call.py                # or --visavis PATH, --events FILE to keep what was printed
"""

import argparse
import json
import pathlib
import queue
import subprocess
import sys
import threading

PATIENCE = 30  # seconds


class Visavis:
    """One process: commands go to its stdin, events come from its stdout."""

    def __init__(self, name, program, arguments, log):
        self.name, self.log, self.commands = name, log, 0
        self.seen, self.news = [], queue.Queue()
        self.process = subprocess.Popen(
            [program, *arguments, "--control"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.news.put(json.loads(line))
        self.news.put(None)

    def wait(self, wanted):
        """The first event that `wanted` accepts, among those that came and those to come."""
        for event in self.seen:
            if wanted(event):
                return event
        while True:
            event = self.news.get(timeout=PATIENCE)
            if event is None:
                sys.exit(f"{self.name} ended before the event that was waited for")
            self.seen.append(event)
            print(json.dumps(event), file=self.log)
            if wanted(event):
                return event

    def event(self, name, **fields):
        return self.wait(lambda e: e["event"] == name and all(e.get(k) == v for k, v in fields.items()))

    def do(self, command, **parameters):
        """Gives a command and waits for what becomes of it."""
        self.commands += 1
        line = {"command": command, "id": self.commands, **parameters}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        answer = self.wait(lambda e: e["event"] in ("done", "failed") and e.get("id") == self.commands)
        print(f"{self.name:6} {command:9} {answer['event']} {answer.get('why') or answer.get('status') or ''}")
        if answer["event"] == "failed":
            sys.exit(f"{self.name}: {command} failed: {answer['why']}")
        return answer


def main():
    built = pathlib.Path(__file__).parent.parent / "target/release/visavis"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visavis", default=built)
    parser.add_argument("--events", type=argparse.FileType("w"), default=None)
    options = parser.parse_args()
    log = options.events or open("/dev/null", "w")

    callee = Visavis("callee", options.visavis, ["answer", "--listen", "127.0.0.1:0", "--max-calls", "1"], log)
    address = callee.event("listening")["address"]
    caller = Visavis("caller", options.visavis,
                     ["call", f"sip:lab@{address}", "--listen", "127.0.0.1:0", "--audio-only"], log)

    callee.event("incoming")
    callee.do("ring", status=183)
    caller.event("progress", status=183)
    callee.do("answer")
    caller.event("established")

    caller.do("hold")
    caller.do("resume")
    caller.do("reinvite", media="both")
    caller.do("dtmf", keys="12#")
    callee.event("dtmf", digit="#")
    callee.do("message", text="hello")
    assert caller.event("message")["text"] == "hello"

    for _ in range(PATIENCE):  # nobody can be asked for a key frame before a picture has come
        if any(s["kind"] == "video" and s["frames_received"] for s in caller.do("stats")["sections"]):
            break
        caller.do("wait", seconds=1)
    caller.do("keyframe")
    caller.do("hangup")

    verdicts = [side.event("call")["verdict"] for side in (caller, callee)]
    codes = [side.process.wait(PATIENCE) for side in (caller, callee)]
    print("verdicts:", *("good" if v["good"] else "; ".join(v["reasons"]) for v in verdicts))
    if codes != [0, 0]:
        sys.exit("a call was not good")
    print("all went as it should")


main()
