"""Serves gossamer.local.v1.StackService on the stack's socket: a thin adapter around the supervisor."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn, TypeAlias

import grpc
import protovalidate
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from google.rpc.code_pb2 import Code
from grpc_status import rpc_status

from gossamer.local.v1 import stack_pb2 as pb
from gossamer.local.v1 import stack_pb2_grpc
from gossamer_mesh.declare import DeclarationProblem
from gossamer_mesh.errors import Problem, UnknownName
from gossamer_mesh.local import memory
from gossamer_mesh.local.process import Process
from gossamer_mesh.local.supervisor import Supervisor

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

DOMAIN = "gossamer.local.v1"
SHORTEST_S = 0.1  # between two messages of a watch
KILL = 9


class StackService(stack_pb2_grpc.StackServiceServicer):
    """What the command line, and later the dashboard, do with a running stack."""

    def __init__(self, supervisor: Supervisor, ended: asyncio.Event) -> None:
        self._supervisor = supervisor
        self._ended = ended
        self._stop: asyncio.Task[None] | None = None

    async def GetStack(self, request: pb.GetStackRequest, context: Context) -> pb.GetStackResponse:  # noqa: ARG002
        """Show every process, with its memory."""
        stack = self._stack()
        for process in stack.processes:
            process.memory_bytes = await asyncio.to_thread(memory.held, process.pid) if process.pid else 0
        return pb.GetStackResponse(stack=stack)

    async def WatchStack(
        self,
        request: pb.WatchStackRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchStackResponse]:
        """Stream the whole stack after each change, until it has stopped."""
        version = -1
        while not self._ended.is_set() or version != self._supervisor.version:
            version = await self._supervisor.changed_since(version)
            yield pb.WatchStackResponse(stack=self._stack())
            await asyncio.sleep(SHORTEST_S)

    async def ApplyStack(
        self,
        request: pb.ApplyStackRequest,
        context: Context,
    ) -> pb.ApplyStackResponse:
        """Read the declarations again and follow them."""
        try:
            return pb.ApplyStackResponse(notes=await self._supervisor.apply(dict(request.environment) or None))
        except Problem as problem:
            await refuse(context, *kind(problem), problem)

    async def RestartProcesses(
        self, request: pb.RestartProcessesRequest, context: Context
    ) -> pb.RestartProcessesResponse:
        """Restart processes, one after the other."""
        try:
            return pb.RestartProcessesResponse(restarted=await self._supervisor.restart(request.names))
        except Problem as problem:
            await refuse(context, *kind(problem), problem)

    async def KillProcess(self, request: pb.KillProcessRequest, context: Context) -> pb.KillProcessResponse:
        """Send a signal to one process."""
        await validate(request, context)
        try:
            return pb.KillProcessResponse(pid=self._supervisor.kill(request.name, request.signal or KILL))
        except Problem as problem:
            await refuse(context, *kind(problem), problem)

    async def ScaleService(self, request: pb.ScaleServiceRequest, context: Context) -> pb.ScaleServiceResponse:
        """Change how many instances of a service run."""
        await validate(request, context)
        try:
            instances = await self._supervisor.scale(request.service, request.replicas, request.version)
            return pb.ScaleServiceResponse(instances=instances)
        except Problem as problem:
            await refuse(context, *kind(problem), problem)

    async def StopStack(self, request: pb.StopStackRequest, context: Context) -> pb.StopStackResponse:  # noqa: ARG002
        """Begin to end everything."""
        self.begin_stop()
        return pb.StopStackResponse()

    def begin_stop(self) -> None:
        """End everything in order, once, and then say so."""
        if self._stop is None:
            self._stop = asyncio.create_task(self._end())

    async def _end(self) -> None:
        try:
            await self._supervisor.stop()
        finally:
            self._ended.set()
            self._supervisor.changed()

    def _stack(self) -> pb.Stack:
        supervisor = self._supervisor
        addresses = {
            "consul": supervisor.addresses.consul,
            "control": supervisor.addresses.control,
            "otlp_grpc": supervisor.addresses.otlp_grpc,
            "otlp_http": supervisor.addresses.otlp_http,
            "jaeger": supervisor.addresses.jaeger,
            **supervisor.stores.addresses,
        }
        return pb.Stack(
            name=supervisor.settings.name,
            processes=map(message, supervisor.processes),
            stopping=supervisor.stopping,
            addresses=addresses,
            entries_left=supervisor.entries.left,
            entries_refused=supervisor.entries.refused,
        )


def message(process: Process) -> pb.Process:
    """Tell what a process is and does, as the contract words it."""
    told = pb.Process(
        name=process.plan.name,
        service=process.plan.service,
        language=process.plan.language,
        state=f"PROCESS_STATE_{process.state.name}",
        detail=process.detail,
        address=process.address,
        pid=process.pid,
        restarts=process.restarts,
        last_lines=process.last_lines,
    )
    if process.pid:
        told.start_time.FromMilliseconds(int(process.started * 1000))
    return told


async def validate(request: Message, context: Context) -> None:
    """Refuse a request that breaks the rules of its contract."""
    violations = protovalidate.collect_violations(request)
    if violations:
        words = "; ".join(f"{each.proto.rule_id}: {each.proto.message}" for each in violations)
        await refuse(context, code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST", Problem(words))


def kind(problem: Problem) -> tuple[Code, str]:
    """Give the status and the reason that a problem is told with."""
    if isinstance(problem, DeclarationProblem):
        return code_pb2.INVALID_ARGUMENT, "DECLARATION_INVALID"
    if isinstance(problem, UnknownName):
        return code_pb2.NOT_FOUND, "NAME_UNKNOWN"
    return code_pb2.FAILED_PRECONDITION, "NOT_POSSIBLE"


async def refuse(context: Context, code: Code, reason: str, problem: Problem) -> NoReturn:
    """End the call with a status that carries the reason."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"status": str(problem.status)}))
    status = status_pb2.Status(code=code, message=str(problem), details=[detail])
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort never returns")
