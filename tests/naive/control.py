"""The control plane with one protection taken out, to show that its test fails then: control.py WHICH OPTION...

| which    | what it does                                                  |
|----------|---------------------------------------------------------------|
| `queue`  | what a stream is to be sent waits for it in a queue           |
| `resend` | what a client refuses is sent again                           |
| `whole`  | whatever a stream asks for is found before others are served  |
| `forget` | where something bad is written, what was good before is gone  |
"""

import sys
from collections import defaultdict, deque
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from gossamer_mesh.control.__main__ import main
from gossamer_mesh.control.planning import Planning
from gossamer_mesh.xds import server
from gossamer_mesh.xds.server import AdsServer, Stream
from gossamer_mesh.xds.session import Refusal, Subscription


def queue() -> None:
    queues: defaultdict[int, deque[bytes]] = defaultdict(deque)

    def queue_what_is_due(stream: Stream) -> None:
        while response := stream.session.take():
            queues[stream.number].append(response.encode())
        stream.woken.set()

    async def write(_: AdsServer, stream: Stream, context: Any) -> None:
        while not stream.ended:
            while waiting := queues[stream.number]:
                await context.write(waiting.popleft())
            await stream.woken.wait()
            stream.woken.clear()

    AdsServer._wake = staticmethod(queue_what_is_due)  # type: ignore[method-assign]
    AdsServer._write = write  # type: ignore[method-assign]


def resend() -> None:
    judge = Subscription._judge

    def judge_and_repeat(self: Subscription, request: DiscoveryRequest) -> Refusal | None:
        if request.HasField("error_detail"):
            self.repeat([*self._sent])
        return judge(self, request)

    Subscription._judge = judge_and_repeat  # type: ignore[method-assign]


def whole() -> None:
    server.AT_A_TIME = sys.maxsize


def forget() -> None:
    Planning._last_good = lambda *_: None  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    {"queue": queue, "resend": resend, "whole": whole, "forget": forget}[sys.argv.pop(1)]()
    sys.exit(main())
