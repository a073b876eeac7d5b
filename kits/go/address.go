package kit

// This file owns the choice of the address that others reach an instance by.

import (
	"errors"
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
	if host.IsUnspecified() {
		all, err := net.InterfaceAddrs()
		if err != nil {
			return netip.AddrPort{}, err
		}
		if host, err = firstReachable(all); err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(host, address.Port()), nil
}

// firstReachable returns the first address that other machines may know.
func firstReachable(all []net.Addr) (netip.Addr, error) {
	for _, one := range all {
		prefix, err := netip.ParsePrefix(one.String())
		if err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("no address but loopback on this machine: set GOSSAMER_ADVERTISE")
}
