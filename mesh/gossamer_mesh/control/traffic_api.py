"""gossamer.mesh.v1.TrafficService: where calls go and what is done to them, and handles for people to change it."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc

from gossamer.mesh.v1 import traffic_pb2 as pb
from gossamer.mesh.v1 import traffic_pb2_grpc
from gossamer_mesh.consul.writing import Conflict, Refused
from gossamer_mesh.control import traffic_messages as messages
from gossamer_mesh.control.call_policies import CallPolicies
from gossamer_mesh.control.hand import Hand
from gossamer_mesh.control.listing import page_of
from gossamer_mesh.control.planning import Planning
from gossamer_mesh.control.validation import abort, refuse, require_valid
from gossamer_mesh.discovery import SourceError
from gossamer_mesh.handles import EntryOfOthers, HandleError, Unfit, faults, splits
from gossamer_mesh.handles.check import File, Finding
from gossamer_mesh.handles.rehearsal import RehearsalError
from gossamer_mesh.model import Audience, Mesh
from gossamer_mesh.policy import Contracts

Context = grpc.aio.ServicerContext[Any, Any]

Check = Callable[[Sequence[File]], Awaitable[Sequence[Finding]]]

ANYONE = Audience()

IMPOSSIBLE = grpc.StatusCode.FAILED_PRECONDITION


class TrafficApi(traffic_pb2_grpc.TrafficServiceServicer):
    """Answers from what is planned for clients, and has people's wishes written."""

    def __init__(
        self,
        planning: Planning,
        call_policies: CallPolicies,
        *,
        contracts: Callable[[], Contracts],
        hand: Hand | None,
        check: Check | None,
    ) -> None:
        """Ask for the contracts as they are now. Without `hand`, or `check`, what these do is refused."""
        self._planning = planning
        self._call_policies = call_policies
        self._contracts = contracts
        self._hand = hand
        self._check = check
        self._checking = asyncio.Lock()

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Context) -> pb.GetPolicyResponse:
        """Tell where the calls of a service go."""
        await require_valid(request, context)
        await self._require_known(request.service, context)
        audience = Audience(zone=request.zone, caller=request.caller)
        return pb.GetPolicyResponse(policy=self._policy(request.service, audience))

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Context) -> pb.ListPoliciesResponse:
        """List the policies of the services of which anybody wrote something."""
        await self._require_read(context)
        audience = Audience(zone=request.zone, caller=request.caller)
        names = ((name, name) for name in self._planning.subjects)
        policies, token = await page_of(names, lambda name: self._policy(name, audience), request, context)
        return pb.ListPoliciesResponse(policies=policies, next_page_token=token)

    async def ListRefusals(self, request: pb.ListRefusalsRequest, context: Context) -> pb.ListRefusalsResponse:
        """List what is left out."""
        await self._require_read(context)
        known = (("\0".join(refusal), refusal) for refusal in sorted(self._planning.refusals))
        refusals, token = await page_of(known, messages.refusal, request, context)
        return pb.ListRefusalsResponse(refusals=refusals, next_page_token=token)

    async def CheckEntries(self, request: pb.CheckEntriesRequest, context: Context) -> pb.CheckEntriesResponse:
        """Tell what would be refused, trying it with one throw-away Consul at a time."""
        await require_valid(request, context)
        await self._require_read(context)
        if not self._check:
            message = "expected a control plane that has the program consul, found none: start it with --consul-program"
            await abort(context, IMPOSSIBLE, "CHECK_NOT_POSSIBLE", message)
        try:
            async with self._checking:
                findings = await self._check([File(name=each.name, text=each.text) for each in request.files])
        except RehearsalError as error:
            await abort(context, IMPOSSIBLE, "CHECK_NOT_POSSIBLE", str(error))
        except SourceError as error:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "CONSUL_AWAY", str(error))
        return pb.CheckEntriesResponse(findings=map(messages.finding, findings))

    async def SetSplit(self, request: pb.SetSplitRequest, context: Context) -> pb.SetSplitResponse:
        """Spread the calls of a service over versions of it."""
        async with self._writing(request, context) as hand:
            shares = splits.shares((share.version, share.weight) for share in request.shares)
            written = await hand.split(request.service, shares, force=request.force)
        return pb.SetSplitResponse(policy=self._policy(request.service), written=written)

    async def ClearSplit(self, request: pb.ClearSplitRequest, context: Context) -> pb.ClearSplitResponse:
        """Take the split of a service back."""
        async with self._writing(request, context) as hand:
            written = await hand.join(request.service, force=request.force)
        return pb.ClearSplitResponse(policy=self._policy(request.service), written=written)

    async def SetFault(self, request: pb.SetFaultRequest, context: Context) -> pb.SetFaultResponse:
        """Delay or fail some calls of a service on purpose."""
        async with self._writing(request, context) as hand:
            if not request.fault.HasField("delay") and not request.fault.abort_status:
                raise Unfit("fault", "expected delay or abort_status, found neither")
            if binary := next((key for key in request.headers if key.endswith("-bin")), None):
                raise Unfit("headers", f"expected a key of text, found {binary}, which has binary values")
            method = faults.method_of(request.method, self._methods(request.service)) if request.method else ""
            fault = messages.fault_value(request, method)
            written = await hand.fault(request.service, fault, force=request.force)
        return pb.SetFaultResponse(
            policy=self._policy(request.service, Audience(caller=request.caller)), written=written
        )

    async def ClearFaults(self, request: pb.ClearFaultsRequest, context: Context) -> pb.ClearFaultsResponse:
        """Take all faults of a service back."""
        async with self._writing(request, context) as hand:
            written = await hand.mend(request.service, force=request.force)
        return pb.ClearFaultsResponse(policy=self._policy(request.service), written=written)

    async def WatchCallPolicies(
        self, request: pb.WatchCallPoliciesRequest, context: Context
    ) -> AsyncIterator[pb.WatchCallPoliciesResponse]:
        """Stream what a kit has to do to the calls of some services, from when the mesh was read completely once."""
        await require_valid(request, context)
        audience = Audience(zone=request.zone, caller=request.caller)
        async with aclosing(self._call_policies.watch(audience, request.services)) as policies:
            async for changed in policies:
                yield pb.WatchCallPoliciesResponse(changed=changed)

    def _policy(self, service: str, audience: Audience = ANYONE) -> pb.Policy:
        return messages.policy(self._planning.find(audience, service), self._planning.faults(service))

    def _methods(self, service: str) -> list[str]:
        """Give the methods of a service, as `package.Service/Method`; none if nothing is known of its contracts."""
        mesh, contracts = self._planning.mesh or Mesh(), self._contracts()
        served = mesh.services[service].contracts if service in mesh.services else ()
        return [path.removeprefix("/") for contract in served for path in contracts.methods.get(contract, ())]

    async def _require_read(self, context: Context) -> None:
        if not self._planning.mesh:
            message = "expected a mesh that was read completely once, found none yet: ask again soon"
            await abort(context, grpc.StatusCode.UNAVAILABLE, "MESH_NOT_READ", message)

    async def _require_known(self, service: str, context: Context) -> None:
        await self._require_read(context)
        names = self._planning.names
        if service not in names:
            near = difflib.get_close_matches(service, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
            message = f"no service {service!r} in the mesh; {hint}"
            await abort(context, grpc.StatusCode.NOT_FOUND, "SERVICE_UNKNOWN", message)

    @asynccontextmanager
    async def _writing(self, request: Any, context: Context) -> AsyncIterator[Hand]:
        """Give a hand that writes what a valid request asks for, and refuse the call when that is not done."""
        await require_valid(request, context)
        if not self._hand:
            message = "expected a mesh that is read from Consul, found one that is read from a file: change that file"
            await abort(context, IMPOSSIBLE, "MESH_OF_A_FILE", message)
        if not getattr(request, "force", False):
            await self._require_known(request.service, context)
        try:
            yield self._hand
        except Unfit as error:
            await refuse(context, {error.field: str(error)})
        except EntryOfOthers as error:
            await abort(context, IMPOSSIBLE, "ENTRY_OF_OTHERS", str(error), metadata={"entries": " ".join(error.names)})
        except HandleError as error:
            await abort(context, IMPOSSIBLE, "VERSION_NOT_CALLED", str(error))
        except Refused as error:
            await abort(context, IMPOSSIBLE, "REFUSED_BY_CONSUL", f"{error}{_advice(str(error))}")
        except Conflict as error:
            await abort(context, grpc.StatusCode.ABORTED, "WRITTEN_MEANWHILE", str(error))
        except SourceError as error:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "CONSUL_AWAY", str(error))


def _advice(refusal: str) -> str:
    """Say what to do about some refusals of Consul."""
    if "does not permit advanced routing" in refusal:
        return (
            '. Write "Protocol": "grpc" into its service-defaults, which without it mean tcp; or, if it has none, once '
            'for all services {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "grpc"}}'
        )
    return ""
