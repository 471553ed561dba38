package line

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// escapeDelay is how long after an ESC byte the rest of a sequence may come; after that it was the Esc key.
const escapeDelay = 50 * time.Millisecond

// key is one key press, or one paste.
type key struct {
	r    rune
	text []rune // of keyPaste, with placeholders
	size int    // bytes of a paste that was too long, text is nil then
}

// input reads a terminal and queues keys.
type input struct {
	keys    chan key
	prefill chan struct{} // holds one while there is something that Prefill was given
	done    chan struct{} // closed by stop

	// command is called with a key before it is queued, and handles it itself by returning true.
	command func(raw byte) bool

	file     *os.File
	stopOnce sync.Once
	pasting  bool
	pasted   []byte
	tooLong  int // bytes of a paste beyond the limit and before
}

func newInput(command func(raw byte) bool) *input {
	return &input{
		keys: make(chan key, 4096), prefill: make(chan struct{}, 1), done: make(chan struct{}), command: command,
	}
}

// start begins to read from f. Both goroutines end after stop or at the end of f, the one in f.Read when that returns.
func (in *input) start(f *os.File, onPanic func()) {
	in.file = f
	chunks := make(chan []byte)
	go func() {
		defer onPanic()
		in.read(f, chunks)
	}()
	go func() {
		defer onPanic()
		in.decodeAll(chunks)
	}()
}

// stop makes the keys end, at once for whoever waits for one. Calling it again does nothing. The read in progress is broken
// off where the system can; a standard input that the program was started with mostly has to wait for a key.
func (in *input) stop() {
	in.stopOnce.Do(func() {
		close(in.done)
		in.file.SetReadDeadline(time.Unix(1, 0))
	})
}

// next waits for a key. It returns io.EOF at the end.
func (in *input) next() (key, error) {
	select {
	case <-in.done:
		return key{}, io.EOF
	case <-in.prefill:
		return key{r: keyPrefill}, nil
	default:
	}
	select {
	case k, ok := <-in.keys:
		if !ok {
			return key{}, io.EOF
		}
		return k, nil
	case <-in.prefill:
		return key{r: keyPrefill}, nil
	case <-in.done:
		return key{}, io.EOF
	}
}

// discard drops what was typed ahead.
func (in *input) discard() {
	for {
		select {
		case _, ok := <-in.keys:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

func (in *input) read(f *os.File, chunks chan<- []byte) {
	defer close(chunks)
	defer f.SetReadDeadline(time.Time{})
	for {
		buf := make([]byte, 4096)
		n, err := f.Read(buf)
		if n > 0 {
			select {
			case chunks <- buf[:n]:
			case <-in.done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (in *input) decodeAll(chunks <-chan []byte) {
	defer close(in.keys)
	var pending []byte
	for {
		var late <-chan time.Time
		if len(pending) > 0 && !in.pasting {
			late = time.After(escapeDelay)
		}
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return
			}
			pending = in.decode(in.unstick(pending, chunk), false)
		case <-late:
			pending = in.decode(pending, true)
		case <-in.done:
			return
		}
	}
}

// unstick returns pending and chunk as one, and gives up a paste whose end never came: a Ctrl-C by itself, which pastes don't
// hold, drops it.
func (in *input) unstick(pending, chunk []byte) []byte {
	if in.pasting && len(chunk) == 1 && chunk[0] == keyInterrupt {
		in.pasting, in.pasted, in.tooLong = false, nil, 0
		return nil
	}
	return append(pending, chunk...)
}

// decode queues the keys in input and returns the rest.
func (in *input) decode(input []byte, final bool) []byte {
	for len(input) > 0 {
		if in.pasting {
			text, n, end := cutPaste(input)
			in.collect(text)
			if end {
				in.endPaste()
			}
			if n == 0 {
				return input
			}
			input = input[n:]
			continue
		}
		r, n := decode(input, final)
		if n == 0 {
			return input
		}
		switch {
		case string(input[:n]) == pasteBegin:
			in.pasting = true
		case n == 1 && in.command(input[0]):
		case r == heldNewline:
			in.queue(key{r: keyPaste, text: []rune{r}})
		case r != 0:
			in.queue(key{r: r})
		}
		input = input[n:]
	}
	return nil
}

func (in *input) queue(k key) {
	select {
	case in.keys <- k:
	case <-in.done:
	}
}

// collect adds to a paste, as long as it is within the limit.
func (in *input) collect(text []byte) {
	if in.tooLong > 0 || len(in.pasted)+len(text) > maxPaste {
		in.tooLong += len(in.pasted) + len(text)
		in.pasted = nil
		return
	}
	in.pasted = append(in.pasted, text...)
}

func (in *input) endPaste() {
	text := strings.TrimRight(string(in.pasted), "\r\n")
	k := key{r: keyPaste, text: held(text), size: in.tooLong}
	in.pasting, in.pasted, in.tooLong = false, nil, 0
	in.queue(k)
}

// source is what readline reads: one key at a time, so that it never holds back keys that were meant for something else.
type source struct {
	next func() (rune, error)
	rest []byte
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		r, err := s.next()
		if err != nil {
			return 0, err
		}
		s.rest = []byte(string(r))
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close does nothing: see editor.Close.
func (s *source) Close() error { return nil }
