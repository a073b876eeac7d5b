package kit

// This file owns what the kit itself needs from the xDS bootstrap: where the control plane is, and who tries calls again.
// Everything else in it is read by grpc-go, before main, from the same variables (grpc-go #8432).

import (
	"encoding/json"
	"errors"
)

type bootstrap struct {
	Servers []struct {
		URI string `json:"server_uri"`
	} `json:"xds_servers"`
	Node struct {
		Metadata struct {
			Retries any `json:"gossamer.retries"`
		} `json:"metadata"`
	} `json:"node"`
}

// controlPlane returns the target of the control plane; empty when there is none.
func (b bootstrap) controlPlane() string {
	if len(b.Servers) == 0 {
		return ""
	}
	return b.Servers[0].URI
}

// readBootstrap reads the bootstrap where gRPC does; the file goes before the text, as gRFC A27 has it.
func readBootstrap(r *envReader, readFile func(string) ([]byte, error)) bootstrap {
	if path, _ := r.lookup("GRPC_XDS_BOOTSTRAP"); path != "" {
		content, err := readFile(path)
		if err != nil {
			r.problem("GRPC_XDS_BOOTSTRAP", path, errors.New("expected the path of a readable xDS bootstrap"))
			return bootstrap{}
		}
		return parseBootstrap(r, "GRPC_XDS_BOOTSTRAP", path, content)
	}
	if text, _ := r.lookup("GRPC_XDS_BOOTSTRAP_CONFIG"); text != "" {
		return parseBootstrap(r, "GRPC_XDS_BOOTSTRAP_CONFIG", text, []byte(text))
	}
	r.problem("GRPC_XDS_BOOTSTRAP_CONFIG", "", errors.New(
		"expected an xDS bootstrap, or GOSSAMER_DISCOVERY=static:... to do without a control plane"))
	return bootstrap{}
}

func parseBootstrap(r *envReader, name, value string, content []byte) bootstrap {
	var parsed bootstrap
	if err := json.Unmarshal(content, &parsed); err != nil || parsed.controlPlane() == "" {
		r.problem(name, value, errors.New(`expected an xDS bootstrap in JSON with xds_servers[0].server_uri`))
		return bootstrap{}
	}
	return parsed
}
