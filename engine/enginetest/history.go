package enginetest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// Authors is how many devices write a history, those of the first identities of identitytest. The first has founded the round
// and says nothing: what it had said would seem to be held by nobody. Each other answers whoever was last to speak.
const Authors = 10

// History makes dir the home of identity 0, in a round that is called "long" and was begun three hundred days ago. It has n
// messages, one to a block, and the first blocks of all Authors, of which genesis is one.
func History(dir string, n int) (identity.Tag, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return identity.Tag{}, err
	}
	keys, err := identity.NewKeyringFor(filepath.Join(dir, "secrets"), identitytest.Identity(0), identitytest.Created)
	if err != nil {
		return identity.Tag{}, err
	}
	w := &writer{own: keys, wall: uint64(time.Now().Add(-300 * 24 * time.Hour).UnixMilli())}
	id, err := w.found()
	if err != nil {
		return w.tag, err
	}
	keys.Rounds = append(keys.Rounds, identity.NewRoundSecret(id, w.genesis.Bytes()))
	if err := keys.Save(); err != nil {
		return w.tag, err
	}
	s, err := store.Open(filepath.Join(dir, "rounds.db"))
	if err != nil {
		return w.tag, err
	}
	defer s.Close()
	if err := s.Write(func(tx store.Tx) error { return tx.AddRound(w.tag, nil) }); err != nil {
		return w.tag, err
	}
	return w.tag, w.fill(s, n)
}

// writer signs blocks for a store.
type writer struct {
	tag     identity.Tag
	content identity.ContentKey
	genesis *chain.Block
	wall    uint64
	own     *identity.Keyring // of author 0
	ends    [Authors]*chain.Block
	last    *chain.Block
}

// found signs genesis.
func (w *writer) found() (identity.RoundID, error) {
	key, cred := w.author(0)
	g := chain.Genesis{Name: "long", PubKey: chain.PubKey{
		Credential: cred.Bytes(), HPKE: key.HPKE(), Handle: []byte("p0"),
	}}
	body, err := g.Encode()
	if err != nil {
		return identity.RoundID{}, err
	}
	b, err := chain.Sign(key, chain.Header{Kind: chain.KindGenesis, T: w.wall, Wall: w.wall}, body)
	if err != nil {
		return identity.RoundID{}, err
	}
	id := identity.RoundIDOf(b.Bytes())
	w.genesis, w.last, w.ends[0], w.tag, w.content = b, b, b, id.Tag(), id.ContentKey()
	return id, nil
}

func (w *writer) author(i int) (*identity.DeviceKey, *identity.Credential) {
	if i == 0 {
		return w.own.Device, w.own.Credential
	}
	return identitytest.Device(i), identitytest.Credential(i)
}

func (w *writer) fill(s *store.Store, n int) error {
	var gathered []*chain.Block
	flush := func() error {
		defer func() { gathered = gathered[:0] }()
		return s.Write(func(tx store.Tx) error {
			for _, b := range gathered {
				cites := make([]store.ID, 0, 2)
				for _, id := range b.Edges() {
					cites = append(cites, id)
				}
				e := store.Entry{ID: b.ID(), Author: b.Author, Seq: b.Seq, T: b.T, Kind: uint8(b.Kind)}
				if _, err := tx.AddBlock(w.tag, e, b.Bytes(), cites); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := 1; i < Authors+n; i++ {
		b, err := w.next(i)
		if err != nil {
			return err
		}
		if gathered = append(gathered, b); len(gathered) == 2000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// next signs block i: the first blocks of all authors, then messages of all but the first in turn.
func (w *writer) next(i int) (*chain.Block, error) {
	who := i
	if i >= Authors {
		who = 1 + i%(Authors-1)
	}
	key, _ := w.author(who)
	w.wall += 100
	h := chain.Header{Tag: w.tag, Author: key.Device(), T: w.wall, Wall: w.wall}
	var body []byte
	var err error
	if w.ends[who] == nil {
		h.Kind, h.Parents = chain.KindPubKey, []chain.ID{w.genesis.ID()}
		body, err = w.first(h, who)
	} else {
		h.Kind, h.Seq, h.Prev = chain.KindMessage, w.ends[who].Seq+1, w.ends[who].ID()
		if w.last != w.ends[who] {
			h.Parents = []chain.ID{w.last.ID()}
		}
		body, err = w.message(h, i)
	}
	if err != nil {
		return nil, err
	}
	b, err := chain.Sign(key, h, body)
	w.ends[who], w.last = b, b
	return b, err
}

func place(h chain.Header) seal.Place {
	return seal.Place{Tag: h.Tag, Kind: uint64(h.Kind), Epoch: h.Epoch, Author: h.Author, Seq: h.Seq}
}

func (w *writer) first(h chain.Header, who int) ([]byte, error) {
	plain, err := chain.EncodeHandle(fmt.Sprintf("p%d", who))
	if err != nil {
		return nil, err
	}
	key, cred := w.author(who)
	pk := chain.PubKey{
		Credential: cred.Bytes(), HPKE: key.HPKE(),
		Handle: seal.Body(w.content, place(h), plain),
	}
	return pk.Encode()
}

func (w *writer) message(h chain.Header, i int) ([]byte, error) {
	m := chain.Message{Written: h.Wall, Text: fmt.Sprintf("message %d, of the length that people write in a chat", i)}
	binary.BigEndian.PutUint64(m.ID[:], uint64(i))
	plain, _, err := chain.EncodeMessages([]chain.Message{m}, chain.MaxBody)
	return seal.Body(w.content, place(h), plain), err
}
