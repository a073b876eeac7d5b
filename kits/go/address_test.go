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

func TestFirstReachableSkipsLoopbackAndLinkLocal(t *testing.T) {
	all := []net.Addr{cidr("127.0.0.1/8"), cidr("fe80::1/64"), cidr("10.0.0.7/24"), cidr("10.0.0.8/24")}
	got, err := firstReachable(all)
	if err != nil || got != netip.MustParseAddr("10.0.0.7") {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := firstReachable(all[:2]); err == nil {
		t.Errorf("got %v where there is none", got)
	}
}

// cidr is an address as the system lists it.
func cidr(text string) net.Addr {
	ip, network, _ := net.ParseCIDR(text)
	return &net.IPNet{IP: ip, Mask: network.Mask}
}
