# The one Consul server of a local stack. Ports, data folder and addresses come from the command line.

server           = true
bootstrap_expect = 1
bind_addr        = "127.0.0.1"
client_addr      = "127.0.0.1"

# A leader within 1.4 s instead of 7: right for one server on one machine.
performance {
  raft_multiplier = 1
}

ui_config {
  enabled = true
}

# One machine makes all connections: every instance, the control plane and the supervisor.
limits {
  http_max_conns_per_client = 4000
}

# Without the protocol, Consul refuses routers and splitters.
config_entries {
  bootstrap = [
    {
      kind = "proxy-defaults"
      name = "global"
      config {
        protocol = "grpc"
      }
    }
  ]
}

# Nothing here leaves the machine.
disable_update_check        = true
disable_anonymous_signature = true
disable_remote_exec         = true
log_json                    = true
log_level                   = "error"
