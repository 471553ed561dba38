package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// socks NAME USER PASS opens a SOCKS5 proxy, RFC 1928 and 1929, that asks for a user name and a password.
func socks(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	theCast(ts).closers = append(theCast(ts).closers, l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if to, err := socksGreet(c, args[1], args[2]); err == nil {
					defer to.Close()
					go func() {
						io.Copy(to, c)
						to.Close()
					}()
					io.Copy(c, to)
				}
			}()
		}
	}()
}

// socksGreet answers up to where bytes are passed on, and connects.
func socksGreet(c net.Conn, user, pass string) (net.Conn, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return nil, err
	}
	c.Write([]byte{5, 2})
	if _, err := io.CopyN(io.Discard, c, 1); err != nil { // the version
		return nil, err
	}
	gotUser, err := socksText(c)
	if err != nil {
		return nil, err
	}
	gotPass, err := socksText(c)
	if err != nil {
		return nil, err
	}
	if gotUser != user || gotPass != pass {
		c.Write([]byte{1, 1})
		return nil, errors.New("wrong password")
	}
	c.Write([]byte{1, 0})
	request := make([]byte, 4)
	if _, err := io.ReadFull(c, request); err != nil {
		return nil, err
	}
	host, err := socksHost(c, request[3])
	if err != nil {
		return nil, err
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(c, port); err != nil {
		return nil, err
	}
	to, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(port))))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
	case err != nil:
		c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
	default:
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	}
	return to, err
}

// socksText reads a text behind its length in one byte.
func socksText(c net.Conn) (string, error) {
	n := make([]byte, 1)
	if _, err := io.ReadFull(c, n); err != nil {
		return "", err
	}
	text := make([]byte, n[0])
	_, err := io.ReadFull(c, text)
	return string(text), err
}

func socksHost(c net.Conn, kind byte) (string, error) {
	if kind == 3 {
		host, err := socksText(c)
		if host == "friend.example" {
			host = "127.0.0.1"
		}
		return host, err
	}
	ip := make(net.IP, map[byte]int{1: 4, 4: 16}[kind])
	_, err := io.ReadFull(c, ip)
	return ip.String(), err
}
