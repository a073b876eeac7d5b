package kit

// This file owns the environment: it alone reads it, once, and finds every mistake before anything is bound. It never
// connects to anything.

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	defaultVersion  = "dev"
	defaultZone     = "local"
	defaultListen   = "127.0.0.1:0"
	defaultDeadline = 5 * time.Second
	defaultDrain    = 20 * time.Second
	defaultConsul   = "http://127.0.0.1:8500"

	defaultSpanDelayMS      = "200"
	defaultMetricIntervalMS = "5000"
)

// ConfigFromEnv reads the environment. Its error is a *ConfigError that names every bad variable.
func ConfigFromEnv() (Config, error) { return readConfig(os.LookupEnv, os.ReadFile) }

// readConfig is ConfigFromEnv without the process: what it looks up and reads comes from its arguments.
func readConfig(lookup func(string) (string, bool), readFile func(string) ([]byte, error)) (Config, error) {
	r := &envReader{lookup: lookup}
	config := Config{
		Service:     read(r, "GOSSAMER_SERVICE", "", parseServiceName),
		Version:     read(r, "GOSSAMER_VERSION", defaultVersion, parseLabel),
		Zone:        read(r, "GOSSAMER_ZONE", defaultZone, parseLabel),
		Listen:      read(r, "GOSSAMER_LISTEN", defaultListen, parseListen),
		Advertise:   read(r, "GOSSAMER_ADVERTISE", "", parseAdvertise),
		Deadline:    read(r, "GOSSAMER_DEADLINE", defaultDeadline.String(), parseDuration),
		Drain:       read(r, "GOSSAMER_DRAIN", defaultDrain.String(), parseDuration),
		Discovery:   read(r, "GOSSAMER_DISCOVERY", "xds", parseDiscovery),
		ConsulToken: read(r, "CONSUL_HTTP_TOKEN", "", parseText),
		Collector:   read(r, "OTEL_EXPORTER_OTLP_ENDPOINT", "", parseURL),
		Sampling:    readSampling(r),

		SpanDelay:      read(r, "OTEL_BSP_SCHEDULE_DELAY", defaultSpanDelayMS, parseMilliseconds),
		MetricInterval: read(r, "OTEL_METRIC_EXPORT_INTERVAL", defaultMetricIntervalMS, parseMilliseconds),
	}
	config.Instance = read(r, "GOSSAMER_INSTANCE", cmp.Or(config.Service, "unnamed")+"-"+randomSuffix(), parseLabel)
	if config.Discovery.Static == nil {
		xds := readBootstrap(r, readFile)
		config.ControlPlane, config.CarriesRetries = xds.controlPlane(), xds.Node.Metadata.Retries == "kit"
		config.Consul = read(r, "CONSUL_HTTP_ADDR", defaultConsul, parseURL)
	} else {
		config.Consul = read(r, "CONSUL_HTTP_ADDR", "", parseURL) // a service that runs alone joins nothing
	}
	if len(r.problems) > 0 {
		return Config{}, &ConfigError{Problems: r.problems}
	}
	return config, nil
}

// envReader looks variables up and remembers what was wrong with them.
type envReader struct {
	lookup   func(string) (string, bool)
	problems []string
}

func (r *envReader) problem(name, value string, err error) {
	r.problems = append(r.problems, fmt.Sprintf("%s: %v, found %q", name, err, value))
}

// read parses one variable; one that is empty counts as not set.
func read[T any](r *envReader, name, otherwise string, parse func(string) (T, error)) T {
	found, _ := r.lookup(name)
	value, err := parse(cmp.Or(found, otherwise))
	if err != nil {
		r.problem(name, found, err)
	}
	return value
}

// readSampling reads the standard variables of OpenTelemetry's samplers.
func readSampling(r *envReader) Sampling {
	sampler := read(r, "OTEL_TRACES_SAMPLER", "parentbased_always_on", parseSampler)
	kind, follow := strings.CutPrefix(sampler, "parentbased_")
	switch kind {
	case "always_off":
		return Sampling{Follow: follow}
	case "traceidratio":
		return Sampling{Follow: follow, Ratio: read(r, "OTEL_TRACES_SAMPLER_ARG", "1", parseShare)}
	default:
		return Sampling{Follow: follow, Ratio: 1}
	}
}

func parseSampler(value string) (string, error) {
	switch strings.TrimPrefix(value, "parentbased_") {
	case "always_on", "always_off", "traceidratio":
		return value, nil
	default:
		return "", errors.New("expected always_on, always_off or traceidratio, or one of these after parentbased_")
	}
}

func parseShare(value string) (float64, error) {
	share, err := strconv.ParseFloat(value, 64)
	if err != nil || !decimal.MatchString(value) || share > 1 {
		return 0, errors.New("expected a share from 0 to 1, such as 0.01")
	}
	return share, nil
}

var (
	serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	decimal     = regexp.MustCompile(`^[0-9]*\.?[0-9]+$`)
	label       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,127})$`)
)

func parseServiceName(value string) (string, error) {
	if !serviceName.MatchString(value) {
		return "", errors.New("expected a service's name of lower-case letters, digits and dashes, such as catalog")
	}
	return value, nil
}

func parseLabel(value string) (string, error) {
	if !label.MatchString(value) {
		return "", errors.New("expected up to 128 letters, digits, dots, dashes and underscores, such as v2")
	}
	return value, nil
}

// parseListen accepts no name but localhost: what others resolve to is found out too late.
func parseListen(value string) (string, error) {
	host, port, err := net.SplitHostPort(value)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if _, bad := netip.ParseAddr(host); err != nil || bad != nil || !isPort(port) {
		return "", errors.New("expected host:port with an IP address, such as 127.0.0.1:0")
	}
	return net.JoinHostPort(host, port), nil
}

// isPort tells whether a text is the number of a port, 0 included.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func parseAdvertise(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if address, err := netip.ParseAddr(value); err != nil || address.IsUnspecified() {
		return "", errors.New("expected an IP address that others can reach, without a port, such as 10.0.0.7")
	}
	return value, nil
}

func parseDuration(value string) (time.Duration, error) {
	duration, err := time.ParseDuration(value)
	if err != nil || duration <= 0 {
		return 0, errors.New("expected a time above zero with its unit, such as 5s or 500ms")
	}
	return duration, nil
}

func parseMilliseconds(value string) (time.Duration, error) {
	number, err := strconv.ParseUint(value, 10, 31)
	if err != nil || number == 0 {
		return 0, errors.New("expected a number of milliseconds above zero, such as 200")
	}
	return time.Duration(number) * time.Millisecond, nil
}

func parseDiscovery(value string) (Discovery, error) {
	if value == "xds" {
		return Discovery{}, nil
	}
	bad := errors.New("expected xds or static:name=host:port,..., such as static:catalog=127.0.0.1:5000")
	list, ok := strings.CutPrefix(value, "static:")
	if !ok {
		return Discovery{}, bad
	}
	addresses := map[string][]string{}
	for entry := range strings.SplitSeq(list, ",") {
		if entry == "" {
			continue
		}
		name, address, _ := strings.Cut(entry, "=")
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || !isPort(port) || port == "0" || !serviceName.MatchString(name) {
			return Discovery{}, bad
		}
		addresses[name] = append(addresses[name], address)
	}
	return Discovery{Static: addresses}, nil
}

// parseURL accepts an address without its scheme, as Consul's own tools do.
func parseURL(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" ||
		!isPort(cmp.Or(parsed.Port(), "80")) || parsed.Port() == "0" {
		return "", errors.New("expected an address such as http://127.0.0.1:8500")
	}
	return value, nil
}

func parseText(value string) (string, error) { return value, nil }

func randomSuffix() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails, it ends the program instead
	return hex.EncodeToString(random[:])
}
