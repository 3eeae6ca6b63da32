"""Servers of the Model Context Protocol on standard input and output."""

import json

from harness.errors import Failed

from .base import Requested


class OverMcp(Requested):
    """Its program is started once; each action is one `tools/call`."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return self.place.environment()

    def start(self):
        self.start_program(self.command(), self.environment())
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "benches", "version": "1"}}
        answer = json.loads(self.answer({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about}))
        if "result" not in answer:
            raise Failed(f"initialize: {answer}")
        # A notification has no answer: it goes out together with a request that has one.
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        self.answer(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n" + json.dumps(ping))

    def tool(self, name, arguments):
        return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
