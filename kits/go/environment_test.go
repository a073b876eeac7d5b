package kit

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const someBootstrap = `{"xds_servers": [{"server_uri": "127.0.0.1:18000"}]}`

// configFrom reads a configuration from variables instead of the environment.
func configFrom(variables map[string]string) (Config, error) {
	lookup := func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
	return readConfig(lookup, os.ReadFile)
}

func TestConfigHasDefaults(t *testing.T) {
	config, err := configFrom(map[string]string{
		"GOSSAMER_SERVICE": "catalog", "GRPC_XDS_BOOTSTRAP_CONFIG": someBootstrap,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(config.Instance, "catalog-") || len(config.Instance) != len("catalog-12345678") {
		t.Errorf("instance %q is not the service and a random suffix", config.Instance)
	}
	config.Instance = ""
	want := Config{
		Service: "catalog", Version: "dev", Zone: "local", Listen: "127.0.0.1:0",
		Deadline: 5 * time.Second, Drain: 20 * time.Second, ControlPlane: "127.0.0.1:18000",
		Consul: "http://127.0.0.1:8500", Sampling: Sampling{Follow: true, Ratio: 1},
		SpanDelay: 200 * time.Millisecond, MetricInterval: 5 * time.Second,
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("got %+v\nwant %+v", config, want)
	}
}

func TestConfigNamesEveryBadVariableAtOnce(t *testing.T) {
	bad := map[string]string{
		"GOSSAMER_SERVICE":            "Not A Name",
		"GOSSAMER_INSTANCE":           "a b",
		"GOSSAMER_VERSION":            "-",
		"GOSSAMER_ZONE":               "zone/1",
		"GOSSAMER_LISTEN":             "127.0.0.1",
		"GOSSAMER_ADVERTISE":          "10.0.0.1:80",
		"GOSSAMER_DEADLINE":           "soon",
		"GOSSAMER_DRAIN":              "-1s",
		"CONSUL_HTTP_ADDR":            "http://",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "grpc://collector",
		"OTEL_BSP_SCHEDULE_DELAY":     "200ms",
		"OTEL_METRIC_EXPORT_INTERVAL": "0",
		"OTEL_TRACES_SAMPLER":         "sometimes",
		"GRPC_XDS_BOOTSTRAP_CONFIG":   "{}",
	}
	_, err := configFrom(bad)
	var problems *ConfigError
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want a *ConfigError", err)
	}
	for name, value := range bad {
		if !strings.Contains(err.Error(), name+": expected") || !strings.Contains(err.Error(), "found \""+value[:1]) {
			t.Errorf("%s=%s is not named:\n%v", name, value, err)
		}
	}
	if len(problems.Problems) != len(bad) {
		t.Errorf("%d problems for %d bad variables:\n%v", len(problems.Problems), len(bad), err)
	}
}

func TestConfigRequiresAService(t *testing.T) {
	_, err := configFrom(map[string]string{"GOSSAMER_DISCOVERY": "static:"})
	if err == nil || !strings.Contains(err.Error(), "GOSSAMER_SERVICE: expected") {
		t.Errorf("got %v", err)
	}
}

func TestStaticDiscoveryNeedsNeitherControlPlaneNorConsul(t *testing.T) {
	config, err := configFrom(map[string]string{
		"GOSSAMER_SERVICE":   "orders",
		"GOSSAMER_DISCOVERY": "static:catalog=127.0.0.1:5000,catalog=127.0.0.1:5001,tax=[::1]:6000",
	})
	if err != nil {
		t.Fatal(err)
	}
	if config.Consul != "" || config.ControlPlane != "" {
		t.Errorf("Consul is %q and the control plane %q", config.Consul, config.ControlPlane)
	}
	if got := config.Discovery.Static["catalog"]; !slices.Equal(got, []string{"127.0.0.1:5000", "127.0.0.1:5001"}) {
		t.Errorf("catalog is at %v", got)
	}
	if got := config.Discovery.Static["tax"]; !slices.Equal(got, []string{"[::1]:6000"}) {
		t.Errorf("tax is at %v", got)
	}
}

func TestTheBootstrapFileGoesBeforeTheText(t *testing.T) {
	path := t.TempDir() + "/bootstrap.json"
	if err := os.WriteFile(path, []byte(`{"xds_servers": [{"server_uri": "127.0.0.1:1"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := configFrom(map[string]string{
		"GOSSAMER_SERVICE": "catalog", "GRPC_XDS_BOOTSTRAP": path, "GRPC_XDS_BOOTSTRAP_CONFIG": someBootstrap,
	})
	if err != nil || config.ControlPlane != "127.0.0.1:1" {
		t.Errorf("the control plane is %q, %v", config.ControlPlane, err)
	}
}

func TestAddressOfConsulMayLackItsScheme(t *testing.T) {
	config, err := configFrom(map[string]string{
		"GOSSAMER_SERVICE": "catalog", "GOSSAMER_DISCOVERY": "static:", "CONSUL_HTTP_ADDR": "127.0.0.1:8501",
	})
	if err != nil || config.Consul != "http://127.0.0.1:8501" {
		t.Errorf("Consul is at %q, %v", config.Consul, err)
	}
}

func TestSamplersOfOpenTelemetry(t *testing.T) {
	for sampler, want := range map[string]Sampling{
		"always_on":                {false, 1},
		"always_off":               {false, 0},
		"traceidratio":             {false, 0.25},
		"parentbased_always_on":    {true, 1},
		"parentbased_always_off":   {true, 0},
		"parentbased_traceidratio": {true, 0.25},
	} {
		config, err := configFrom(map[string]string{
			"GOSSAMER_SERVICE": "catalog", "GOSSAMER_DISCOVERY": "static:",
			"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": "0.25",
		})
		if err != nil || config.Sampling != want {
			t.Errorf("%s: got %v, %v, want %v", sampler, config.Sampling, err, want)
		}
	}
}

func TestAShareIsFromZeroToOne(t *testing.T) {
	for _, bad := range []string{"-0.1", "1.1", "NaN", "half"} {
		if _, err := parseShare(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
