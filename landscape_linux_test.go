package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"opentalk/engine/skiptest"
)

// landscape is a network of real hosts, each a network namespace of its own, around a router that is another. The router loses
// packets, cuts one host off from another, in one direction or both, and breaks connections, as nftables can; there is no delay
// in nftables, so what goes to a host that is far away passes through a relay, which is a process.
type landscape struct {
	t      *testing.T
	router string
	hosts  []string
}

const (
	landPort = "7654"                 // that every host listens on
	farDelay = 100 * time.Millisecond // of what goes to a far host, and as much back
)

// rules are the router's. Packets that go through the relay arrive at the router and leave it, and never pass.
const rules = `
table ip weather {
	set severed { type ipv4_addr . ipv4_addr; }
	set broken { type ipv4_addr . ipv4_addr; }
	chain storm { }
	chain arriving {
		type filter hook prerouting priority raw
		ip saddr . ip daddr @severed drop
		numgen random mod 1000 < 20 drop
		jump storm
	}
	chain passing {
		type filter hook forward priority filter
		ip protocol tcp ip saddr . ip daddr @broken reject with tcp reset
	}
	chain leaving {
		type filter hook postrouting priority 300
		ip saddr . ip daddr @severed drop
	}
	chain far { type nat hook prerouting priority dstnat; }
}
`

func init() { commands["opentalk-relay"] = relay }

// newLandscape makes n hosts, the last of which are far away. It skips the test where this user may not do that.
func newLandscape(t *testing.T, n, far int) *landscape {
	if os.Getuid() != 0 {
		skiptest.Because(t, "only root makes networks of namespaces")
	}
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			skiptest.Because(t, "%v", err)
		}
	}
	l := &landscape{t: t, router: fmt.Sprintf("opentalk-%d", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", l.router).CombinedOutput(); err != nil {
		skiptest.Because(t, "ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() { l.run("ip", "netns", "del", l.router) })
	l.inside(l.router, "ip", "link", "set", "lo", "up")
	l.inside(l.router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	l.nft(rules)
	for i := range n {
		l.settle(i)
	}
	for i := n - far; i < n; i++ {
		l.recede(i)
	}
	return l
}

// settle makes a host and the way to it.
func (l *landscape) settle(i int) {
	host, near, gate := fmt.Sprintf("%s-%d", l.router, i), fmt.Sprint("ot", i), fmt.Sprintf("10.77.%d.1", i)
	l.hosts = append(l.hosts, host)
	l.run("ip", "netns", "add", host)
	l.t.Cleanup(func() { l.run("ip", "netns", "del", host) })
	l.run("ip", "link", "add", near, "netns", l.router, "type", "veth", "peer", "name", "eth0", "netns", host)
	l.inside(l.router, "ip", "addr", "add", gate+"/24", "dev", near)
	l.inside(l.router, "ip", "link", "set", near, "up")
	l.inside(host, "ip", "link", "set", "lo", "up")
	l.inside(host, "ip", "addr", "add", l.ip(i)+"/24", "dev", "eth0")
	l.inside(host, "ip", "link", "set", "eth0", "up")
	l.inside(host, "ip", "route", "add", "default", "via", gate)
}

// recede puts a relay before a host.
func (l *landscape) recede(i int) {
	port := fmt.Sprint(9000 + i)
	cmd := exec.Command("ip", "netns", "exec", l.router, "opentalk-relay", ":"+port, net.JoinHostPort(l.ip(i), landPort))
	cmd.Stderr = os.Stderr
	started, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := started.Read(make([]byte, 1)); err != nil {
		l.t.Fatal("the relay does not listen:", err)
	}
	l.nft(fmt.Sprintf("add rule ip weather far ip daddr %s tcp dport %s redirect to :%s", l.ip(i), landPort, port))
}

func (l *landscape) ip(i int) string { return fmt.Sprintf("10.77.%d.2", i) }

// on is how a command begins that runs on a host.
func (l *landscape) on(i int) []string { return []string{"ip", "netns", "exec", l.hosts[i]} }

func (l *landscape) run(args ...string) {
	l.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		l.t.Fatalf("%q: %v: %s", args, err, out)
	}
}

func (l *landscape) inside(namespace string, args ...string) {
	l.t.Helper()
	l.run(append([]string{"ip", "netns", "exec", namespace}, args...)...)
}

// nft changes the router's rules.
func (l *landscape) nft(text string) {
	l.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", l.router, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("nft: %v: %s", err, out)
	}
}

// between puts into one of the router's sets that what some send is not for others.
func (l *landscape) between(set string, from, to []int) {
	var pairs []string
	for _, a := range from {
		for _, b := range to {
			pairs = append(pairs, l.ip(a)+" . "+l.ip(b))
		}
	}
	l.nft(fmt.Sprintf("add element ip weather %s { %s }", set, strings.Join(pairs, ", ")))
}

// storm loses so many packets in a hundred.
func (l *landscape) storm(percent int) {
	l.nft(fmt.Sprintf("add rule ip weather storm numgen random mod 100 < %d drop", percent))
}

// heal takes back all but the loss that is always there.
func (l *landscape) heal() {
	l.nft("flush set ip weather severed\nflush set ip weather broken\nflush chain ip weather storm")
}

// relay passes on what comes to the address in its first argument to that in its second, and back, a little later. It writes
// a byte once it listens.
func relay() {
	ln, err := net.Listen("tcp4", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.WriteString("\n")
	for {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			far, err := net.DialTimeout("tcp4", os.Args[2], 5*time.Second)
			if err != nil {
				near.Close()
				return
			}
			go delay(far, near)
			delay(near, far)
		}()
	}
}

// delay passes on what it reads, [farDelay] later, and the end, too.
func delay(to, from net.Conn) {
	type part struct {
		data []byte
		due  time.Time
	}
	parts := make(chan part, 64)
	go func() {
		defer close(parts)
		for {
			data := make([]byte, 16<<10)
			n, err := from.Read(data)
			if n > 0 {
				parts <- part{data[:n], time.Now().Add(farDelay)}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) { // a reset is passed on as one
					to.(*net.TCPConn).SetLinger(0)
				}
				return
			}
		}
	}()
	for p := range parts {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range parts {
	}
}
