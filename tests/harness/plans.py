"""An ADS server in the test's own process that tells hand-written plans: no Consul, no policy."""

import json
from types import TracebackType
from typing import Self

import grpc

from gossamer_mesh.model import Plan
from gossamer_mesh.xds import AdsServer, LoadReports, Resources, ResourceSet, View


class PlanServer:
    """Tells every client the same plans, each in its view. `async with` serves on a free port."""

    def __init__(self) -> None:
        self.address = ""
        self.ads = AdsServer()
        self._load_reports = LoadReports()
        self._plans: dict[str, Plan] = {}
        self._resources = Resources(boot="test")
        self._server = grpc.aio.server()

    async def __aenter__(self) -> Self:
        self._server.add_generic_rpc_handlers((self.ads.handler(), self._load_reports.handler()))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        self.tell()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ads.end()
        self._load_reports.end()
        await self._server.stop(None)

    def tell(self, *plans: Plan) -> None:
        """Tell these plans from now on, beside those of other services."""
        self._plans.update({plan.service: plan for plan in plans})
        for audience in self._resources.audiences:
            assert self._resources.update(audience, plans) == ()
        self.ads.publish(self.of)

    def of(self, view: View) -> ResourceSet:
        """What clients of a view are told."""
        if view.audience not in self._resources.audiences:
            assert self._resources.update(view.audience, self._plans.values()) == ()
        return self._resources.of(view)

    @property
    def refusals(self) -> list[str]:
        """Why clients refused what they were sent."""
        streams = (stream.session.subscriptions for stream in self.ads.streams)
        return [each.refusal for subscriptions in streams for each in subscriptions if each.refusals]

    def bootstrap(self, node: str = "test/client/1") -> str:
        """Make the bootstrap of a client, for GRPC_XDS_BOOTSTRAP_CONFIG."""
        server = {"server_uri": self.address, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
        return json.dumps({"xds_servers": [server], "node": {"id": node, "cluster": node.split("/")[1]}})
