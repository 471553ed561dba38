package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// besieger is a program of raw sockets that is no opentalk. Its arguments are what it does, from where, to which address, how
// many of it, and for how long; it prints how often it got through.
func besieger() {
	kind, from, to := os.Args[1], os.Args[2], os.Args[3]
	n, err := strconv.Atoi(os.Args[4])
	if err != nil {
		panic(err)
	}
	lasts, err := time.ParseDuration(os.Args[5])
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	s := &siege{from: from, to: to}
	switch kind {
	case "junk":
		s.junk(ctx, n)
	case "slow":
		s.slow(ctx, n)
	default:
		panic("no such siege: " + kind)
	}
	fmt.Println(s.through.Load())
}

// siege is what goes on against one address.
type siege struct {
	from, to string
	through  atomic.Int64
}

// dialer is that of the nth stranger: at the same address as everybody's, or at another.
func (s *siege) dialer(n int) *net.Dialer {
	ip := net.IPv4(127, 0, 0, 1)
	if s.from == "other" {
		ip = net.IPv4(127, 1, byte(n>>8), byte(n))
	}
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}, Timeout: time.Second}
}

// junk throws that many first messages a second, or as many as the machine lets it.
func (s *siege) junk(ctx context.Context, each int) {
	pace := rate.NewLimiter(rate.Limit(each), 1+each/100)
	var all sync.WaitGroup
	for n := range 1000 {
		all.Go(func() {
			for pace.Wait(ctx) == nil {
				s.throw(ctx, s.dialer(n))
			}
		})
	}
	all.Wait()
}

// throw says a first message that is of no round, and waits until the far side has read it, which is when it hangs up.
func (s *siege) throw(ctx context.Context, d *net.Dialer) {
	nc, err := d.DialContext(ctx, "tcp", s.to)
	if err != nil {
		return
	}
	defer nc.Close()
	nc.(*net.TCPConn).SetLinger(0) // leaves no port behind that has to wait
	nc.SetDeadline(time.Now().Add(time.Second))
	if _, err = nc.Write(junkFirst()); err == nil {
		io.Copy(io.Discard, nc)
		s.through.Add(1)
	}
}

// slow keeps that many sockets open, each of which does one thing a second.
func (s *siege) slow(ctx context.Context, sockets int) {
	var all sync.WaitGroup
	for n := range sockets {
		all.Go(func() {
			select { // not all in the same instant
			case <-time.After(time.Duration(n) * time.Second / time.Duration(sockets)):
				s.dawdle(ctx, n)
			case <-ctx.Done():
			}
		})
	}
	all.Wait()
}

// dawdle is the nth socket: one in four says nothing, one half a message at a time, the others a byte. It calls again when
// it is hung up on.
func (s *siege) dawdle(ctx context.Context, n int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		nc, err := s.dialer(n).DialContext(ctx, "tcp", s.to)
		if err == nil {
			s.through.Add(1)
			s.mutter(ctx, nc, n, tick.C)
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// mutter says a little of a first message with every tick, until nobody listens.
func (s *siege) mutter(ctx context.Context, nc net.Conn, n int, tick <-chan time.Time) {
	for left := junkFirst(); ; {
		say := left[:1]
		switch n % 4 {
		case 0:
			say = nil
		case 1:
			say = left[:len(left)/2]
		}
		nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := nc.Read(make([]byte, 1)); !os.IsTimeout(err) {
			return // hung up on
		}
		if _, err := nc.Write(say); err != nil {
			return
		}
		left = left[len(say):]
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}
