package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/engine/link"
)

// TestFloodsDoNotFillTheLog: whoever calls a thousand times a second for a quarter of an hour is counted each time, and the log of a
// device is no longer for it than it can be read.
func TestFloodsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newTally(slog.New(slog.NewTextHandler(&log, nil)))
		for range 900 {
			var callers sync.WaitGroup
			for range 2 {
				callers.Go(func() {
					for range 500 {
						c.refused(fmt.Errorf("link from 192.0.2.1:9: %w", link.ErrUnknownRound))
					}
				})
			}
			callers.Wait()
			time.Sleep(time.Second)
		}
		c.refused(context.Canceled) // this device closes
		c.tell()
		if n := c.read().Refused["unknown round"]; n != 900_000 || c.read().Refused.Total() != n {
			t.Errorf("counted %v", c.read().Refused)
		}
		if n, most := strings.Count(log.String(), "\n"), logFirst+15+1+2; n > most || n < logFirst {
			t.Errorf("%d lines, want at most %d", n, most)
		}
		if !strings.HasSuffix(log.String(), `callers="900000 unknown round" links="" kept_aside=0 held_back=0`+"\n") {
			t.Errorf("the last line does not tell all: %q", log.String()[max(0, log.Len()-200):])
		}
		before := log.Len()
		if c.tell(); log.Len() != before {
			t.Error("what has been told is told again")
		}
	})
}
