package kit

// This file owns what a kit can be told. Where it is told is in environment.go.

import (
	"strings"
	"time"
)

// Config is all that a kit is told from outside. ConfigFromEnv makes one; a test can write one down.
type Config struct {
	// Service is the service's name in Consul, for example "catalog". Required.
	Service string
	// Instance is this process's id, unique in the mesh. Required.
	Instance string
	// Version is a label that splits and subsets go by.
	Version string
	// Zone is where the instance runs.
	Zone string
	// Listen is the host:port to serve on; port 0 lets the system choose.
	Listen string
	// Advertise is the IP address that others reach the instance by; empty means that of Listen, or the first
	// address that is not loopback when Listen is a wildcard.
	Advertise string
	// Deadline is given to outgoing calls that have none.
	Deadline time.Duration
	// Drain is the most time that a drain takes.
	Drain time.Duration
	// Discovery says how names of services become addresses.
	Discovery Discovery
	// ControlPlane is the target of the control plane, from the xDS bootstrap; empty when there is none.
	ControlPlane string
	// CarriesRetries says that calls are tried again here: the bootstrap's node says so (metadata "gossamer.retries" =
	// "kit"), so that gRPC itself is not told to.
	CarriesRetries bool
	// Consul is the URL of Consul's HTTP API; empty means that the instance joins nothing.
	Consul string
	// ConsulToken is sent to Consul; may be empty.
	ConsulToken string
	// Collector is the OTLP endpoint that spans and metrics go to; empty means that none are kept.
	Collector string
	// Sampling says which traces are kept.
	Sampling Sampling
	// SpanDelay is how long a finished span waits for others before it is sent.
	SpanDelay time.Duration
	// MetricInterval is the time between two reports of the metrics.
	MetricInterval time.Duration
}

// Discovery is how names of services become addresses: by xDS when Static is nil, else by the list.
type Discovery struct {
	// Static holds the addresses of each service, as host:port.
	Static map[string][]string
}

// Sampling says which traces are kept.
type Sampling struct {
	// Follow makes what a caller says about keeping its trace hold here too.
	Follow bool
	// Ratio is the share that is kept of the traces that begin here, from 0 to 1.
	Ratio float64
}

// ConfigError names everything that is wrong with a configuration. Main ends with status 64 on it.
type ConfigError struct {
	// Problems holds one sentence for each bad variable: what was expected, what was found, what to do.
	Problems []string
}

// Error lists all problems, one a line.
func (e *ConfigError) Error() string {
	return "bad configuration:\n  " + strings.Join(e.Problems, "\n  ")
}
