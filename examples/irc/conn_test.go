package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/sdk/sdktest"
)

// TestConnections plays the conversations in testdata/connections, in which clients are at the other end of a connection and
// time passes. In them
//
//	a> LINE          client a sends a line, and connects if it is not there
//	a> LINE | LINE   it sends several at once
//	a- BYTES         it sends what is no whole line
//	a< [N ×] LINE    it gets a line, N times
//	a. is gone       its connection has ended; "a. hangs up", as input, ends it, and "a. reads no more" has it go on deaf
//	! wait D         time passes
//	! crowd N        so many clients connect and say nothing, until "N of the crowd are gone"
//	! say WHO TEXT   somebody says something
//	* IN ROUND: …    what a client has written arrives there
//
// with bytes as in [TestConversations].
func TestConnections(t *testing.T) {
	files, err := filepath.Glob("testdata/connections/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = playConnections(t, string(want)) })
			compare(t, file, string(want), got)
		})
	}
}

// connections are a hub, and the clients that are connected to it.
type connections struct {
	t       *testing.T
	chat    *sdktest.Chat
	in      chan net.Conn // to the listener
	clients []*far
	said    int
	out     strings.Builder
}

// far is the far end of a connection.
type far struct {
	name string
	conn net.Conn

	mu   sync.Mutex
	got  string
	deaf chan struct{} // closed when it reads no more
	gone bool
	told bool
}

func playConnections(t *testing.T, script string) string {
	c := &connections{t: t, in: make(chan net.Conn)}
	f := new(face)
	plugin := f.plugin()
	plugin.Start = func(_ context.Context, chat *sdk.Host) error {
		f.listeners = &listeners{all: []net.Listener{c}, clients: map[net.Conn]bool{}}
		f.hub = newHub(chat, settings{}, "")
		return nil
	}
	plugin.Stop = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, hook.StopBudget/2) // as outside of tests
		defer cancel()
		return f.stop(ctx)
	}
	chat, err := sdktest.New(plugin, sdktest.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c.chat = chat
	for line := range strings.Lines(script) {
		c.does(strings.TrimSuffix(line, "\n"))
	}
	ending := time.Now()
	if err := chat.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(ending); took > 10*hook.StopBudget { // a busy machine takes its time
		t.Errorf("it ended after %v", took)
	}
	for _, far := range c.clients {
		far.conn.Close()
	}
	return c.out.String()
}

// does does what a line says, and writes down what comes of it. Lines that tell what has come are left out.
func (c *connections) does(line string) {
	name, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "" || line[0] == '#':
		fmt.Fprintln(&c.out, line)
		return
	case name == "!":
		fmt.Fprintln(&c.out, line)
		c.happens(strings.Fields(rest))
	case strings.HasSuffix(name, ">"):
		fmt.Fprintln(&c.out, line)
		c.write(name[:len(name)-1], strings.ReplaceAll(unescape(rest), " | ", "\r\n")+"\r\n")
	case strings.HasSuffix(name, "-"):
		fmt.Fprintln(&c.out, line)
		c.write(name[:len(name)-1], unescape(rest))
	case rest == "hangs up":
		fmt.Fprintln(&c.out, line)
		c.client(name[:len(name)-1]).conn.Close()
	case rest == "reads no more":
		fmt.Fprintln(&c.out, line)
		close(c.client(name[:len(name)-1]).deaf)
	}
	c.settle()
}

func (c *connections) happens(words []string) {
	var err error
	switch words[0] {
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(words[1])
		time.Sleep(d)
	case "crowd":
		var n int
		n, err = strconv.Atoi(words[1])
		for i := range n {
			c.client(fmt.Sprint(crowd, i))
		}
	case "say":
		_, err = c.chat.Say(words[1], unescape(strings.Join(words[2:], " ")))
	default:
		err = fmt.Errorf("no such thing: %q", words)
	}
	if err != nil {
		c.t.Errorf("%q: %v", words, err)
	}
}

// settle waits until nothing moves, and writes down what has come.
func (c *connections) settle() {
	for moved := true; moved; {
		synctest.Wait()
		happened := len(c.chat.Sent())
		if err := c.chat.Settle(); err != nil {
			c.t.Error(err)
		}
		synctest.Wait()
		moved = len(c.chat.Sent()) > happened
	}
	gone := 0
	for _, far := range c.clients {
		if far.tell(&c.out) {
			gone++
		}
	}
	if gone > 0 {
		fmt.Fprintf(&c.out, "%d of the crowd are gone\n", gone)
	}
	for _, m := range c.chat.Sent()[c.said:] {
		c.said++
		fmt.Fprintf(&c.out, "* in %s: %s\n", m.Round, escape(m.Text))
	}
}

// client returns the one of a name, which connects if it is not there.
func (c *connections) client(name string) *far {
	if i := slices.IndexFunc(c.clients, func(f *far) bool { return f.name == name }); i >= 0 {
		return c.clients[i]
	}
	near, end := net.Pipe()
	f := &far{name: name, conn: end, deaf: make(chan struct{})}
	c.clients = append(c.clients, f)
	go f.read()
	c.in <- near
	return f
}

func (c *connections) write(name, bytes string) {
	f := c.client(name)
	synctest.Wait() // it may have been turned away
	go func() {
		if _, err := f.conn.Write([]byte(bytes)); err != nil {
			f.end()
		}
	}()
}

func (f *far) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
}

func (f *far) read() {
	buf := make([]byte, 4096)
	for {
		select {
		case <-f.deaf:
			return
		default:
		}
		n, err := f.conn.Read(buf)
		f.mu.Lock()
		f.got += string(buf[:n])
		f.mu.Unlock()
		if err != nil {
			f.end()
			return
		}
	}
}

// crowd begins the names of those who say nothing.
const crowd = "crowd"

// tell writes down what has come since it was asked last, but for one of the crowd, and reports whether it is one who has gone.
func (f *far) tell(w *strings.Builder) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	went := f.gone && !f.told
	f.told = f.gone
	if strings.HasPrefix(f.name, crowd) {
		return went
	}
	lines := strings.SplitAfter(f.got, "\r\n")
	f.got = lines[len(lines)-1]
	lines = lines[:len(lines)-1]
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		times := ""
		if n > 1 {
			times = fmt.Sprint(n, " × ")
		}
		fmt.Fprintf(w, "%s< %s%s\n", f.name, times, escape(strings.TrimSuffix(lines[i], "\r\n")))
		i += n
	}
	if went {
		fmt.Fprintf(w, "%s. is gone\n", f.name)
	}
	return false
}

// Accept, Close and Addr make it the listener of its clients.
func (c *connections) Accept() (net.Conn, error) {
	conn, open := <-c.in
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (c *connections) Close() error {
	close(c.in)
	return nil
}

func (c *connections) Addr() net.Addr { return &net.UnixAddr{} }
