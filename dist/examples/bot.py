#!/usr/bin/env python3
"""A bot that accepts requests to talk from a list of people, and answers what they write.

    dist/examples/bot.py alice carol

It speaks to `secchatctl bridge` and needs nothing but Python. A text counts as read once the answer to it has
arrived: after a crash a text may be answered twice, but none is forgotten.
"""
import itertools
import json
import subprocess
import sys

PEOPLE = set(sys.argv[1:])


class Bridge:
    def __init__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["secchatctl", "bridge"], stdin=pipe, stdout=pipe, encoding="utf-8")
        self.ids = itertools.count(1)
        self.waiting = {}

    def call(self, method, then=lambda result: None, **params):
        request = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params}
        self.waiting[request["id"]] = then
        print(json.dumps(request), file=self.process.stdin, flush=True)

    def serve(self, on_event):
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("method") == "event":
                on_event(message["params"])
            elif "error" in message:
                print(message["error"]["message"], file=sys.stderr)
            else:
                self.waiting.pop(message["id"])(message["result"])
        return self.process.wait()


def request_received(request):
    if request["peer"] in PEOPLE and request["state"] == "pending" and request["trust"] != "changed":
        bridge.call("accept", peer=request["peer"])


def message_received(message):
    if message["peer"] in PEOPLE:
        read = lambda _: bridge.call("mark_read", chat=message["chat"], up_to=message["id"])
        bridge.call("send", read, peer=message["peer"], text="You wrote: " + message["text"][:1000])


bridge = Bridge()
reactions = {"request_received": request_received, "message_received": message_received}
# What was there before this bot came, then what changes.
bridge.call("subscribe", lambda state: [request_received(it) for it in state["incoming"]]
            + [message_received(it) for it in state["unread"]])
sys.exit(bridge.serve(lambda event: reactions.get(event["event"], lambda _: None)(event)))
