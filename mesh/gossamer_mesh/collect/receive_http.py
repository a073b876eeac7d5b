"""OTLP over HTTP. A thin shell around ``intake``: a body in, a status out.

Follows the OTLP specification 1.10, section OTLP/HTTP: both encodings, gzip, 200 also for a partial success, 400 for
what must not be sent again, 503 with Retry-After for what should.
"""

from typing import Any, Final

from aiohttp import web

from gossamer_mesh.collect import otlp
from gossamer_mesh.collect.intake import RETRY_SECONDS, Intake, Overloaded

_COMPRESSIONS: Final = frozenset({"", "identity", "gzip", "deflate"})


def application(intake: Intake) -> web.Application:
    """Make the application that answers ``/v1/traces``, ``/v1/metrics`` and ``/v1/logs``."""
    app = web.Application(client_max_size=otlp.MAX_PAYLOAD)
    app.add_routes([web.post(signal.path, _exporter(signal, intake)) for signal in otlp.SIGNALS])
    return app


def _exporter(signal: otlp.Signal[Any], intake: Intake) -> Any:
    async def export(request: web.Request) -> web.Response:
        try:
            encoding = otlp.Encoding(request.content_type)
        except ValueError:
            expected = " or ".join(each.value for each in otlp.Encoding)
            return web.Response(status=415, text=f"expected content-type {expected}, found {request.content_type}\n")
        compression = request.headers.get("Content-Encoding", "").lower()
        if compression not in _COMPRESSIONS:
            return web.Response(status=415, text=f"expected content-encoding gzip or none, found {compression}\n")
        return await _answer(request, signal, encoding, intake)

    return export


async def _answer(
    request: web.Request, signal: otlp.Signal[Any], encoding: otlp.Encoding, intake: Intake
) -> web.Response:
    try:
        async with intake.arrival():
            payload = await _body(request)
        return _written(200, await intake.take(signal, payload, encoding), encoding)
    except otlp.Malformed as error:
        return _written(400, otlp.malformed(str(error)), encoding)
    except web.HTTPRequestEntityTooLarge:
        reason = f"expected at most {otlp.MAX_PAYLOAD} bytes after decompression, found more"
        return _written(413, otlp.malformed(reason), encoding)
    except Overloaded as error:
        answer = _written(503, otlp.unavailable(str(error), RETRY_SECONDS), encoding)
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer


async def _body(request: web.Request) -> bytes:
    """Read and decompress the body."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise otlp.Malformed("expected a whole body, compressed as content-encoding says") from error


def _written(status: int, message: Any, encoding: otlp.Encoding) -> web.Response:
    return web.Response(status=status, body=otlp.encode(message, encoding), content_type=encoding.value)
