"""A session on Deskhand's WebSocket, through the measuring client."""

import itertools
import json

from .errors import Failed, NotInThisVersion

numbers = itertools.count(1)


class Session:
    """`session("screenshot")` is one request and its result; `times` measures."""

    def __init__(self, place, attachments=False, greet=True):
        self.place, self.client, self.name = place, place.client, f"deskhand-{next(numbers)}"
        headers = [("Authorization", f"Bearer {place.token}"), ("Sec-WebSocket-Protocol", "deskhand.v1")]
        self.connecting = self.client.seconds("connect", name=self.name, address=place.address, path="/v1/ws", headers=headers)
        place.connections.append(self)
        self.greeting = {}
        if greet:
            params = {"protocol": "deskhand.v1", "client": {"name": "benches", "version": "1"}}
            if attachments:
                params["images"] = "attachment"
            try:
                self.greeting = self("initialize", **params)
            except Failed as error:
                if attachments and "unsupported" in str(error):
                    self.close()
                    raise NotInThisVersion("images as attachments") from None
                raise

    def needs(self, method):
        if method not in self.greeting["methods"]:
            raise NotInThisVersion(f"the method {method}")

    def needs_meta(self, key):
        if key not in self.greeting["meta"]:
            raise NotInThisVersion(f"the key _meta.{key}")

    @staticmethod
    def request(method, params, number=1):
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, separators=(",", ":"), ensure_ascii=False)

    def exchange(self, method, params=None, count=1, change=None, want_answer=False):
        """The measuring client's whole answer: nanoseconds, bytes, binary, sent."""
        request = self.request(method, params or {})
        return self.client("exchange", name=self.name, request=request, count=count, change=change, want_answer=want_answer)

    def __call__(self, method, **params):
        answer = json.loads(self.exchange(method, params, want_answer=True)["answer"])
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']['message']} ({answer['error']['data']['kind']})")
        return answer["result"]

    def times(self, method, params=None, count=1, change=None):
        return [one * 1e-9 for one in self.exchange(method, params, count, change)["nanoseconds"]]

    def pipeline(self, method, list_of_params, in_flight):
        """Seconds for all of the requests, of which so many are on their way at a time."""
        requests = [self.request(method, params, number) for number, params in enumerate(list_of_params, 1)]
        return self.client.seconds("pipeline", name=self.name, requests=requests, in_flight=in_flight)[0]

    def close(self):
        if self in self.place.connections:
            self.place.connections.remove(self)
            self.client("close", name=self.name)
