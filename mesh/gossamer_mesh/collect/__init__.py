"""The collector: receives telemetry (OTLP over gRPC and HTTP), keeps spans in SQLite, answers Jaeger's read API.

Run as ``python -m gossamer_mesh.collect``. Data goes one way, left to right::

    receive_grpc, receive_http  ->  intake       ->  otlp, spans  ->  store      (one writer thread)
    bytes from a socket             bounded queue     pure             SQLite
                                                                        |
    query (Jaeger's API)        <-  jaeger        <-------------------  search   (readers)

and a trace that was read becomes a ``tree`` (pure), which ``drawing`` renders for a terminal.
"""

__all__: list[str] = []
