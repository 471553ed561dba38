package main

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The floor is a member that does only what no chat of this kind can leave out: sign a message into a block that cites the
// one before, have it on the disk, send it in a frame of AES-GCM over TCP; and there hash it, check its link and its signature,
// deliver it, and have it on the disk. No handshake, no membership, no acknowledgement, no screen. It is told what to do in
// lines, and tells what has happened in events, as opentalk is with --json; of both it knows what [gather] and [member] use.
type floor struct {
	key   ed25519.PrivateKey
	aead  cipher.AEAD
	disk  *os.File
	prev  [sha256.Size]byte // the id of its own newest block
	said  chan string
	heard chan []byte // blocks of others, for the disk

	mu    sync.Mutex
	links []*floorLink
	out   *bufio.Writer
}

// floorLink is a connection, which has its own numbers in both directions.
type floorLink struct {
	nc   net.Conn
	sent uint64
	buf  []byte
}

// A block: author, id of the author's block before, hash of the body, signature over these, body.
const (
	floorHead  = ed25519.PublicKeySize + 2*sha256.Size
	floorBody  = floorHead + ed25519.SignatureSize
	floorFrame = 4 // length
)

// serveFloor is a member's process, until its input ends.
func serveFloor(dir string, in io.Reader, out io.Writer) error {
	f := &floor{said: make(chan string, 1<<15), heard: make(chan []byte, 1<<12), out: bufio.NewWriterSize(out, 1<<16)}
	var err error
	if _, f.key, err = ed25519.GenerateKey(nil); err != nil {
		return err
	}
	block, err := aes.NewCipher(make([]byte, 16)) // nobody is to be kept out
	if err == nil {
		f.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		return err
	}
	if f.disk, err = os.OpenFile(filepath.Join(dir, "blocks"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	defer f.disk.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go f.accept(l)
	go f.say()
	go f.keep()
	return f.obey(l.Addr().String(), in)
}

// obey reads what it is told.
func (f *floor) obey(address string, in io.Reader) error {
	f.tell(`{"event":"ready"}`)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		switch command, rest, _ := strings.Cut(line, " "); command {
		case "/new":
			f.tell(`{"event":"round"}`)
		case "/invite":
			f.tell(`{"event":"invite","invite":"` + address + `"}`)
		case "/join":
			for _, a := range strings.Fields(rest) {
				nc, err := net.Dial("tcp", a)
				if err != nil {
					return err
				}
				f.link(nc)
			}
			f.tell(`{"event":"round"}`)
		default:
			f.said <- line
		}
	}
	return lines.Err()
}

func (f *floor) accept(l net.Listener) {
	for nc, err := l.Accept(); err == nil; nc, err = l.Accept() {
		f.link(nc)
	}
}

func (f *floor) link(nc net.Conn) {
	f.mu.Lock()
	f.links = append(f.links, &floorLink{nc: nc})
	f.mu.Unlock()
	f.tell(`{"event":"peer","state":"online","device":"` + nc.RemoteAddr().String() + `"}`)
	go f.hear(nc)
}

func (f *floor) tell(event string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.out, event)
	f.out.Flush()
}

// say signs all that waits, flushes it with one call and sends it.
func (f *floor) say() {
	for text := range f.said {
		blocks := [][]byte{f.sign(text)}
		for more := true; more && len(blocks) < 256; {
			select {
			case text := <-f.said:
				blocks = append(blocks, f.sign(text))
			default:
				more = false
			}
		}
		f.write(blocks)
		f.mu.Lock()
		links := f.links
		f.mu.Unlock()
		for _, l := range links {
			l.send(f.aead, blocks)
		}
	}
}

func (f *floor) sign(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	b := append([]byte(nil), f.key.Public().(ed25519.PublicKey)...)
	b = append(append(b, f.prev[:]...), hash[:]...)
	b = append(b, ed25519.Sign(f.key, b)...)
	f.prev = sha256.Sum256(b)
	return append(b, text...)
}

// keep has what comes from others on the disk, all that waits with one call.
func (f *floor) keep() {
	for b := range f.heard {
		blocks := [][]byte{b}
		for range len(f.heard) {
			blocks = append(blocks, <-f.heard)
		}
		f.write(blocks)
	}
}

func (f *floor) write(blocks [][]byte) {
	_, err := f.disk.Write(bytes.Join(blocks, nil))
	if err == nil {
		err = f.disk.Sync()
	}
	if err != nil {
		panic(err) // a measurement that cannot go on
	}
}

// send frames blocks and gives them to the system in one call.
func (l *floorLink) send(aead cipher.AEAD, blocks [][]byte) {
	l.buf = l.buf[:0]
	for _, b := range blocks {
		l.buf = binary.BigEndian.AppendUint32(l.buf, uint32(len(b)+aead.Overhead()))
		l.buf = aead.Seal(l.buf, floorNonce(l.sent), b, nil)
		l.sent++
	}
	l.nc.Write(l.buf) // a member that is gone is missed by whoever measures
}

func floorNonce(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4), n) }

// hear takes in what comes over a connection: each block is checked, delivered, and then kept.
func (f *floor) hear(nc net.Conn) {
	in := bufio.NewReaderSize(nc, 1<<16)
	var prev [sha256.Size]byte
	for n := uint64(0); ; n++ {
		var length [floorFrame]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		sealed := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(in, sealed); err != nil {
			return
		}
		b, err := f.aead.Open(sealed[:0], floorNonce(n), sealed, nil)
		if err != nil || !floorHolds(b, prev) {
			f.tell(`{"event":"error","text":"a block does not hold"}`)
			return
		}
		prev = sha256.Sum256(b[:floorBody])
		f.deliver(b[floorBody:], in.Buffered() == 0)
		f.heard <- b
	}
}

// floorHolds reports whether a block is what its author wrote after the block prev.
func floorHolds(b []byte, prev [sha256.Size]byte) bool {
	if len(b) < floorBody {
		return false
	}
	hash := sha256.Sum256(b[floorBody:])
	return bytes.Equal(b[ed25519.PublicKeySize:][:sha256.Size], prev[:]) &&
		bytes.Equal(b[floorHead-sha256.Size:floorHead], hash[:]) &&
		ed25519.Verify(b[:ed25519.PublicKeySize], b[:floorHead], b[floorHead:floorBody])
}

// deliver tells of a message, at once if it is the last for now.
func (f *floor) deliver(text []byte, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.out, "{\"event\":\"message\",\"text\":\"%s\"}\n", text)
	if last {
		f.out.Flush()
	}
}
