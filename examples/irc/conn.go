package main

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/ergochat/irc-go/ircreader"
	"golang.org/x/time/rate"
)

// client is the connection of one: two goroutines, of which one reads its lines and hands them to the server, and one writes
// what the server has for it.
type client struct {
	conn net.Conn
	hub  *hub

	mu      sync.Mutex
	queue   []byte // to be written
	ending  bool   // after what is queued
	changed chan struct{}
	gone    chan struct{}
}

// serve talks to a client until either side ends it.
func (h *hub) serve(conn net.Conn) {
	c := &client{conn: conn, hub: h, changed: make(chan struct{}, 1), gone: make(chan struct{})}
	var s *session
	if !h.do(func() { s = h.server.connect(c.write, c.close) }) {
		conn.Close()
		return
	}
	var writing sync.WaitGroup
	writing.Go(c.flush)
	why := c.read(s)
	h.do(func() {
		if why != "" {
			s.end(why)
		}
		s.disconnect()
	})
	c.close("")
	close(c.gone)
	writing.Wait()
}

// read takes lines until there are no more, and returns what the client is to be told of the reason.
func (c *client) read(s *session) string {
	var lines ircreader.Reader
	lines.Initialize(c.conn, ircLine, maxRead)
	limit := rate.NewLimiter(lineRate, lineBurst)
	// Whoever has not said who they are has this long, whatever else they say, and is not asked whether they are there.
	until, asked := time.Now().Add(registerTime), true
	for {
		c.conn.SetReadDeadline(until)
		line, err := lines.ReadLine()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			if asked {
				return "Closing link: nothing was heard of you"
			}
			c.hub.do(func() { s.send("", "PING", serverName) })
			until, asked = time.Now().Add(pingTime), true
			continue
		case errors.Is(err, ircreader.ErrReadQ):
			return "Closing link: a line without an end"
		case err != nil:
			return ""
		}
		time.Sleep(limit.Reserve().Delay())
		registered, open := c.take(s, string(line))
		if !open {
			return ""
		}
		if registered {
			until, asked = time.Now().Add(pingAfter), false
		}
	}
}

// take hands a line to the server, and waits if the client has asked for more than the chat has answered.
func (c *client) take(s *session, line string) (registered, open bool) {
	var room <-chan struct{}
	c.hub.do(func() {
		s.line(line)
		room, registered, open = s.pause(), s.registered, !s.closed
	})
	if room != nil {
		select {
		case <-room:
		case <-c.hub.done:
		}
	}
	return registered, open
}

// write queues a line. A client that does not read its lines is let go.
func (c *client) write(line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	if len(c.queue)+len(line) > maxQueue {
		c.ending = true
		c.conn.Close()
	} else {
		c.queue = append(c.queue, line...)
	}
	c.wake()
}

// close ends the connection when what is queued is written.
func (c *client) close(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	c.wake()
}

func (c *client) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// flush writes what is queued until the end.
func (c *client) flush() {
	defer c.conn.Close()
	for {
		c.mu.Lock()
		out, ending := c.queue, c.ending
		c.queue = nil
		c.mu.Unlock()
		if len(out) == 0 {
			if ending {
				return
			}
			<-c.changed
			continue
		}
		c.conn.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := c.conn.Write(out); err != nil {
			return
		}
	}
}
