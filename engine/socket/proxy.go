package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/proxy"
)

// ErrProxy is of a proxy that cannot be reached, or that refuses its service.
var ErrProxy = errors.New("proxy does not work")

// Through is the network of this machine with every TCP connection made by a SOCKS5 proxy, "socks5://[user:pass@]host:port",
// which also resolves names. Unix sockets are dialled, and everything is listened on, without it.
func Through(address string) (*System, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "socks5" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || Check(u.Host) != nil {
		return nil, fmt.Errorf("%w: a proxy is socks5://[user:pass@]host:port", ErrAddress) // without what may hold a password
	}
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	s := &System{}
	d, err := proxy.SOCKS5("tcp", u.Host, auth, toProxy{&s.dialer})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxy, err)
	}
	s.proxy = d.(proxy.ContextDialer)
	return s, nil
}

// toProxy dials the proxy itself, and says so where that fails.
type toProxy struct{ *net.Dialer }

// DialContext implements [proxy.ContextDialer].
func (d toProxy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrProxy, err)
	}
	return c, err
}

// proxyReason finds out what a proxy says of an address. There is nothing but its text to go by.
func proxyReason(err error) error {
	if errors.Is(err, ErrProxy) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	for text, sentinel := range map[string]error{
		"connection refused": ErrRefused, "host unreachable": ErrNoRoute, "network unreachable": ErrNoRoute, "TTL expired": ErrTimeout,
	} {
		if strings.HasSuffix(err.Error(), text) {
			return fmt.Errorf("%w: %w", sentinel, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrProxy, err)
}
