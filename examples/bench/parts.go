package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// What has no process of its own is measured by the benchmarks of the package it is in, each of which takes its limit in
// turns with it.

// figures are what benchmarks report, by name of the benchmark and unit, one for each run.
type figures map[string]map[string][]float64

// part runs benchmarks of a package so many times.
func (r *runner) part(pkg, pattern string, times int, flags ...string) (figures, error) {
	args := []string{"test", "-run", "^$", "-bench", pattern, "-benchtime", r.benchtime, "-count", fmt.Sprint(times), "./" + pkg}
	out, err := exec.Command("go", append(args, flags...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w: %s", pattern, pkg, err, out)
	}
	all := figures{}
	if !all.read(out) {
		return nil, fmt.Errorf("%s in %s measures nothing: %s", pattern, pkg, out)
	}
	return all, nil
}

// read takes in what a run has printed: a line begins with the name, then come the number of iterations and pairs of a
// value and its unit.
func (f figures) read(out []byte) (any bool) {
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			if _, err := strconv.Atoi(name[dash+1:]); err == nil {
				name = name[:dash] // the number of cores
			}
		}
		if f[name] == nil {
			f[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				f[name][fields[i+1]] = append(f[name][fields[i+1]], v)
				any = true
			}
		}
	}
	return any
}

// scaled multiplies all of them.
func scaled(all []float64, by float64) []float64 {
	out := make([]float64, len(all))
	for i, v := range all {
		out[i] = v * by
	}
	return out
}

const nsInMillis = 1e-6

func (r *runner) handshake() error {
	all, err := r.part("engine", "^BenchmarkHandshake$", r.pairs)
	if err != nil {
		return err
	}
	f := all["BenchmarkHandshake"]
	r.row(row{what: "handshake, dial to usable link", ours: scaled(f["ns-ours"], nsInMillis), beside: "TLS 1.3, X25519MLKEM768, RSA-2048 on both sides",
		theirs: scaled(f["ns-tls"], nsInMillis), show: inMillis}.ratioAtMost(1))
	return nil
}

func (r *runner) bulk() error {
	all, err := r.part("engine/link", "^BenchmarkBulkOverLoopback$", r.pairs)
	if err != nil {
		return err
	}
	f := all["BenchmarkBulkOverLoopback"]
	r.row(row{what: "bulk link", ours: f["MB/s-ours"], beside: "bare AES-GCM frames over TCP", theirs: f["MB/s-bare"], show: megabytes}.ratioAtLeast(0.85))
	return nil
}

func (r *runner) search() error {
	all, err := r.part("engine", "^BenchmarkSearch$", r.pairs, fmt.Sprintf("-engine.blocks=%d", r.blocks))
	if err != nil {
		return err
	}
	f := all["BenchmarkSearch"]
	r.row(row{what: fmt.Sprintf("search over %d, nothing found", r.blocks), ours: scaled(f["ns-ours"], nsInMillis), beside: "decrypting and scanning on all cores",
		theirs: scaled(f["ns-bruteforce"], nsInMillis), show: inMillis}.ratioAtMost(1.5))
	return nil
}

func (r *runner) reconnect() error {
	all, err := r.part("engine", "^BenchmarkReconnect$", 1, fmt.Sprintf("-engine.blocks=%d", r.blocks))
	if err != nil {
		return err
	}
	f := all["BenchmarkReconnect"]
	what := fmt.Sprintf("reconnect with nothing missing, %.0f devices, %d blocks", f["devices"][0], r.blocks)
	r.row(row{what: what + ", round trips", ours: f["trips"], show: plain}.atMost(1))
	r.row(row{what: what + ", bytes each way", ours: scaled(f["bytes"], 0.5), show: plain}.under(1024))
	return nil
}

// filters measures what an extension adds that looks at every message on its way.
func (r *runner) filters() error {
	all, err := r.part(".", "^BenchmarkSendToShown$", r.pairs)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		kind string
		most float64 // ms
	}{{"script", 0.5}, {"plugin", 1}} {
		for _, way := range []string{"outgoing", "incoming"} {
			f := all["BenchmarkSendToShown/"+of.kind+"-"+way]
			r.row(row{what: fmt.Sprintf("send → shown with the %s filter of a %s", way, of.kind), ours: scaled(f["p50-µs"], 1e-3), beside: "without",
				theirs: scaled(f["p50-none-µs"], 1e-3), show: inMillis}.addsAtMost(of.most))
		}
	}
	return nil
}
