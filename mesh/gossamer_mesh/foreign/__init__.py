"""A gRPC server that knows nothing of the mesh, as an instance of a service: started, registered, drained, ended.

    server.py          what a server says of itself: health, and its contracts by reflection
    health.py          health for one that has none
    registration.py    its place in Consul
    running.py         the order of things, and signals

It prints nothing, and never comes between the server and its callers.
"""

from gossamer_mesh.foreign.running import Instance, run

__all__ = ["Instance", "run"]
