package kit

import (
	"net"
	"net/netip"
	"testing"
)

func TestAdvertised(t *testing.T) {
	for name, one := range map[string]struct {
		config Config
		bound  string
		want   string
	}{
		"the address that was bound":     {Config{}, "127.0.0.1:5000", "127.0.0.1:5000"},
		"the configured one, bound port": {Config{Advertise: "10.0.0.7"}, "0.0.0.0:5000", "10.0.0.7:5000"},
		"IPv6":                           {Config{}, "[::1]:5000", "[::1]:5000"},
		"IPv4 on a listener for both":    {Config{}, "[::ffff:127.0.0.1]:5000", "127.0.0.1:5000"},
	} {
		t.Run(name, func(t *testing.T) {
			bound := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(one.bound))
			got, err := advertised(one.config, bound)
			if err != nil || got.String() != one.want {
				t.Errorf("got %v, %v, want %v", got, err, one.want)
			}
		})
	}
}

func TestBoundToAllAnInstanceIsReachedByOneAddress(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		bound := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[::]:5000"))
		got, err := advertised(Config{Listen: listen}, bound)
		if err != nil || got.Addr().IsUnspecified() || got.Addr().Is4() != (listen == "0.0.0.0:0") {
			t.Errorf("%s: got %v, %v", listen, got, err)
		}
	}
}
