"""What a Python service of the mesh is built on: five steps from the environment to a drain.

    async def main() -> None:
        async with Kit(Config.from_environment()) as kit:
            catalog = kit.client(CatalogServiceStub, "catalog")
            await kit.serve(add_OrdersServiceServicer_to_server, Orders(catalog))
            await kit.join()
            await kit.wait()

    run(main)

A service names no Consul, no xDS, no OpenTelemetry and no signal: the kit does.
"""

from gossamer_kit._call import trace_id
from gossamer_kit._config import Config
from gossamer_kit._errors import BindError, ConfigError, Error, KitError
from gossamer_kit._kit import Kit, run

__all__ = ["BindError", "Config", "ConfigError", "Error", "Kit", "KitError", "run", "trace_id"]
