"""What each variable of the environment may hold, the same in every language."""

GOOD = {
    "GOSSAMER_SERVICE": ["a", "orders", "a-1", "a" * 63],
    "GOSSAMER_INSTANCE": ["1", "orders-1", "A.b_c-d"],
    "GOSSAMER_VERSION": ["v2", "1.0.0"],
    "GOSSAMER_LISTEN": ["127.0.0.1:0", "localhost:0", "[::1]:0", "0.0.0.0:0"],
    "GOSSAMER_ADVERTISE": ["10.0.0.7", "::1", "127.0.0.1"],
    "GOSSAMER_DEADLINE": ["5s", "1m30s", "1.5h", ".5s", "250us"],
    "GOSSAMER_DRAIN": ["500ms", "1ns"],
    "GOSSAMER_DISCOVERY": ["static:", "static:a=127.0.0.1:1,b=[::1]:65535,a=host:2", "xds"],
    "CONSUL_HTTP_ADDR": ["127.0.0.1:1", "http://127.0.0.1:1", "https://consul.example"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["http://127.0.0.1:1", "127.0.0.1:1"],
    "OTEL_BSP_SCHEDULE_DELAY": ["1", "2147483647"],
    "OTEL_TRACES_SAMPLER": ["parentbased_traceidratio", "traceidratio", "always_off"],
    "OTEL_TRACES_SAMPLER_ARG": ["0", "0.01", "1", ".5"],
}
BAD = {
    "GOSSAMER_SERVICE": ["Not A Name", "1st", "a_b", "a-", "a" * 64],
    "GOSSAMER_INSTANCE": ["a b", "-", "a" * 129],
    "GOSSAMER_VERSION": ["-", "v 2"],
    "GOSSAMER_ZONE": ["zone/1"],
    "GOSSAMER_LISTEN": [
        "nowhere", "127.0.0.1", ":0", "::1:0", "[::1:0", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1",
        "nosuch.example:5000",
    ],
    "GOSSAMER_ADVERTISE": ["0.0.0.0", "::", "10.0.0.1:80", "example.org"],
    "GOSSAMER_DEADLINE": ["soon", "5", "0s", "1d", "5 s", "0.1ns", "9999999h"],
    "GOSSAMER_DRAIN": ["-1s", "s", ".s"],
    "GOSSAMER_DISCOVERY": [
        "guess", "static", "static:a", "static:a=127.0.0.1", "static:a=127.0.0.1:http", "static:a=127.0.0.1:0",
        "static:a=127.0.0.1:65536", "static:A=127.0.0.1:1", "static:a=::1:1",
    ],
    "CONSUL_HTTP_ADDR": ["ftp://consul", "http://", "http://127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:http"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["grpc://collector", "http://127.0.0.1:65536"],
    "OTEL_BSP_SCHEDULE_DELAY": ["200ms", "0", "-1", "1.5", "2147483648"],
    "OTEL_METRIC_EXPORT_INTERVAL": ["0", " 5"],
    "OTEL_TRACES_SAMPLER_ARG": ["1.1", "-0.1", "NaN", "half", "0x1p-2", " 1"],
}  # fmt: skip


def rows(values: dict[str, list[str]]) -> list[dict[str, str]]:
    """Make environments that together hold every value once: the first of each variable, then the second of each."""
    longest = max(map(len, values.values()))
    return [{name: each[place] for name, each in values.items() if place < len(each)} for place in range(longest)]
