// Package socket opens the plain sockets that links run over: TCP and Unix-domain ones, and pipes in memory for tests.
//
// It knows addresses and what can go wrong on the way to one. Who answers, and whether to talk to them, is the business of
// package link beside it. An address is text, "host:port" or "unix:PATH", the same in flags, invites and on screens.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Reasons for which an address cannot be reached, for errors.Is.
var (
	ErrAddress  = errors.New("address is neither host:port nor unix:PATH")
	ErrRefused  = errors.New("connection refused")
	ErrTimeout  = errors.New("no answer in time")
	ErrNotFound = errors.New("name not found")
	ErrNoRoute  = errors.New("no route there")
	ErrTaken    = errors.New("address is taken")
)

// MaxAddress bounds the length of an address, in an invite or from the network.
const MaxAddress = 255

// Network is where addresses are dialled and listened on: the system's, or one in memory.
type Network interface {
	Dial(ctx context.Context, addr string) (net.Conn, error)
	Listen(addr string) (net.Listener, error)
}

const unixPrefix = "unix:"

// Check reports why addr cannot be dialled, without trying. The error is [ErrAddress], with what is wrong.
func Check(addr string) error {
	return check(addr, false)
}

// CheckListen reports why addr cannot be listened on, as [Check] does. No host is every address of this machine, port 0 a free
// one.
func CheckListen(addr string) error {
	return check(addr, true)
}

func check(addr string, listen bool) error {
	if err := problem(addr, listen); err != nil {
		return fmt.Errorf("%w: %q: %w", ErrAddress, addr, err)
	}
	return nil
}

func problem(addr string, listen bool) error {
	if len(addr) > MaxAddress {
		return fmt.Errorf("%d bytes exceed the limit of %d", len(addr), MaxAddress)
	}
	if strings.ContainsFunc(addr, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		return errors.New("it holds what cannot be printed")
	}
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if path == "" {
			return errors.New("the path is missing")
		}
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return errors.New("it has no host and port")
	case host == "" && !listen:
		return errors.New("the host is missing")
	}
	least := uint64(1)
	if listen {
		least = 0
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < least {
		return fmt.Errorf("port %q is not a number from %d to 65535", port, least)
	}
	return nil
}

// System is the network of this machine.
type System struct {
	dialer net.Dialer
	proxy  interface { // nil: none
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}
}

// Dial connects to addr. ctx bounds it. The error wraps one of the reasons above where it is one of them.
func (s *System) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if err := Check(addr); err != nil {
		return nil, err
	}
	network, where := split(addr)
	var c net.Conn
	var err error
	if s.proxy != nil && network == "tcp" {
		if c, err = s.proxy.DialContext(ctx, network, where); err != nil {
			err = proxyReason(err)
		}
	} else {
		c, err = s.dialer.DialContext(ctx, network, where)
	}
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", addr, reason(err))
	}
	return c, nil
}

// Listen opens addr; port 0 takes a free one. A Unix socket is readable and writable by its owner alone, and one that
// nobody listens on any more is replaced.
func (s *System) Listen(addr string) (net.Listener, error) {
	network, where := split(addr)
	if network == "unix" {
		if err := removeStale(where); err != nil {
			return nil, fmt.Errorf("listening on %s: %w", addr, err)
		}
	}
	l, err := net.Listen(network, where)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, reason(err))
	}
	if network == "unix" {
		if err := os.Chmod(where, 0o600); err != nil {
			l.Close()
			return nil, fmt.Errorf("listening on %s: %w", addr, err)
		}
	}
	return l, nil
}

// Address is the text of where a listener or a connection is.
func Address(a net.Addr) string {
	if a.Network() == "unix" {
		return unixPrefix + a.String()
	}
	return a.String()
}

func split(addr string) (network, where string) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", addr
}

// removeStale removes a socket that nobody listens on. Anything else at path is left alone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w by a file that is no socket", ErrTaken)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return ErrTaken
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return err
}

// reason puts the sentinel that fits around err.
func reason(err error) error {
	var dns *net.DNSError
	var sentinel error
	switch {
	case errors.Is(err, ErrProxy):
		return err
	case errors.As(err, &dns) && dns.IsNotFound:
		sentinel = ErrNotFound
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		sentinel = ErrTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		sentinel = ErrRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		sentinel = ErrNoRoute
	case errors.Is(err, syscall.EADDRINUSE):
		sentinel = ErrTaken
	default:
		return err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err // whoever has called knows what, and where
	}
	if err.Error() == sentinel.Error() {
		return sentinel
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// Reachable turns the bound addresses of listeners into those that others can dial: an unspecified host becomes each of
// the machine's own addresses, loopback last.
func Reachable(bound []string) []string {
	var far, near []string
	for _, addr := range bound {
		host, port, err := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		switch {
		case strings.HasPrefix(addr, unixPrefix) || err != nil:
			near = append(near, addr)
		case ip == nil || !ip.IsUnspecified():
			if ip != nil && ip.IsLoopback() {
				near = append(near, addr)
			} else {
				far = append(far, addr)
			}
		default:
			f, n := interfaces(port, ip.To4() != nil)
			far, near = append(far, f...), append(near, n...)
		}
	}
	return append(far, near...)
}

// Online reports whether the machine has any address that means something elsewhere.
func Online() bool {
	far, _ := interfaces("1", false)
	return len(far) > 0
}

// interfaces lists the machine's addresses with a port. A link-local one means nothing elsewhere.
func interfaces(port string, only4 bool) (far, near []string) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, []string{net.JoinHostPort("127.0.0.1", port)}
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() || only4 && n.IP.To4() == nil {
			continue
		}
		if addr := net.JoinHostPort(n.IP.String(), port); n.IP.IsLoopback() {
			near = append(near, addr)
		} else {
			far = append(far, addr)
		}
	}
	return far, near
}
