package kit

// This file owns the choice of the address that others reach an instance by.

import (
	"net"
	"net/netip"
)

// advertised returns where others reach the instance: at the port that was bound, by the address that was configured,
// else the one that was bound, else (bound to all) the first that is not loopback.
func advertised(config Config, bound net.Addr) (netip.AddrPort, error) {
	address, err := netip.ParseAddrPort(bound.String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	if config.Advertise != "" {
		host, err := netip.ParseAddr(config.Advertise)
		return netip.AddrPortFrom(host, address.Port()), err
	}
	host := address.Addr().Unmap()
	if host.IsUnspecified() { // the system says :: also where 0.0.0.0 was asked for
		asked, err := netip.ParseAddrPort(config.Listen)
		host = reachable(err == nil && asked.Addr().Is6())
	}
	return netip.AddrPortFrom(host, address.Port()), nil
}

// reachable returns the address that this machine has towards others; loopback when it has no way to any.
func reachable(six bool) netip.Addr {
	elsewhere, loopback := "192.0.2.1:9", netip.MustParseAddr("127.0.0.1")
	if six {
		elsewhere, loopback = "[2001:db8::1]:9", netip.IPv6Loopback()
	}
	conn, err := net.Dial("udp", elsewhere) // which sends nothing
	if err != nil {
		return loopback
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}
