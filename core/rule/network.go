package rule

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// networks is the constant form of cidr()'s networks.
type networks struct{ table bart.Lite }

func (n *networks) contains(ip netip.Addr) bool { return n.table.Lookup(ip) }

// parseNetwork reads `10.0.0.0/8`, or one address.
func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", s)
	}
	return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
}

func cidrCall(args ...any) (any, error) {
	s, err := text("cidr", args[0])
	if err != nil {
		return nil, err
	}
	ip, ok := parsedAddress(s)
	if !ok {
		return false, nil
	}
	for _, arg := range args[1:] {
		inside, err := inNetwork(ip, arg)
		if err != nil || inside {
			return inside, err
		}
	}
	return false, nil
}

// parsedAddress reads an address without its zone. What is none, such as the
// name of a service, is told without the memory of an error.
func parsedAddress(s string) (ip netip.Addr, ok bool) {
	for i := range len(s) {
		c := s[i]
		if c == '%' {
			break
		}
		if c != ':' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return ip, false
		}
	}
	if s == "" {
		return ip, false
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

func inNetwork(ip netip.Addr, network any) (bool, error) {
	switch n := network.(type) {
	case nil:
		return false, nil
	case *networks:
		return n.contains(ip), nil
	case string:
		p, err := parseNetwork(n)
		if err != nil {
			return false, fmt.Errorf("cidr(): %w", err)
		}
		return p.Contains(ip), nil
	case []any, []string:
		for _, item := range listOf(n) {
			if inside, err := inNetwork(ip, item); err != nil || inside {
				return inside, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("cidr() wants networks, not %s", kindOf(network))
}

var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func privateIPCall(args ...any) (any, error) {
	s, err := text("private_ip", args[0])
	if err != nil {
		return nil, err
	}
	return privateIP(s), nil
}

func privateIP(s string) bool {
	ip, ok := parsedAddress(s)
	return ok && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedAddresses.Contains(ip))
}
