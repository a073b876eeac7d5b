"""The package's surface is what services are written against: it changes on purpose only."""

import gossamer_kit


def test_surface() -> None:
    assert gossamer_kit.__all__ == ["BindError", "Config", "ConfigError", "Error", "Kit", "KitError", "run", "trace_id"]
