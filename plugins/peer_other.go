//go:build !linux && !darwin && !freebsd

package plugins

import (
	"net"
	"os"
)

// peerUID: who is at the other end cannot be asked here; the folder of the socket keeps others out.
func peerUID(*net.UnixConn) (int, error) { return os.Getuid(), nil }
