package link

import "fmt"

// What each kind of message may hold. LINK 6. Sender and receiver apply the same rules.

func (m Ready) check() error   { return number("clock", m.Clock) }
func (m Genesis) check() error { return size("block", m.Block, MaxBlock) }

func (m Blocks) check() error {
	if err := number("request", m.Request); err != nil {
		return err
	}
	return sizes("block", m.Blocks, MaxBlocks, MaxBlock)
}

func (m Frontier) check() error { return checkEntries(m.Entries) }
func (m Ack) check() error      { return checkEntries(m.Entries) }

func checkEntries(entries []Entry) error {
	if err := count("entries", len(entries), MaxEntries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := number("sequence number", e.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (m Want) check() error {
	if err := request(m.Request); err != nil {
		return err
	}
	if err := count("ranges", len(m.Ranges), MaxRanges); err != nil {
		return err
	}
	for _, r := range m.Ranges {
		if err := number("sequence number", r.To); err != nil {
			return err
		}
		if r.From > r.To {
			return fmt.Errorf("range from %d to %d", r.From, r.To)
		}
	}
	return nil
}

func (m Fetch) check() error {
	if err := request(m.Request); err != nil {
		return err
	}
	return count("ids", len(m.IDs), MaxIDs)
}

func (m Newest) check() error {
	if err := request(m.Request); err != nil {
		return err
	}
	if m.Count < 1 || m.Count > MaxNewest {
		return fmt.Errorf("%d newest blocks, want 1 to %d", m.Count, MaxNewest)
	}
	return nil
}

func (m Announce) check() error  { return count("ids", len(m.IDs), MaxIDs) }
func (m Addresses) check() error { return sizes("address record", m.Records, MaxAddresses, MaxAddress) }

func (m Proof) check() error { return sizes("part of a proof", [][]byte{m.A, m.B}, 2, MaxProofPart) }

func (m Ping) check() error { return number("clock", m.Clock) }
func (m Pong) check() error { return number("clock", m.Clock) }

func (m Reach) check() error { return request(m.Request) }

func (m Reached) check() error {
	if err := request(m.Request); err != nil {
		return err
	}
	if err := count("addresses", len(m.Entries), MaxReached); err != nil {
		return err
	}
	for _, e := range m.Entries {
		if err := size("address", []byte(e.Address), MaxReachedAddress); err != nil {
			return err
		}
		if err := number("outcome", uint64(e.Outcome)); err != nil {
			return err
		}
	}
	return nil
}

func (m Prune) check() error { return count("devices", len(m.Devices), MaxPruned) }

func (m Unknown) check() error {
	if m.Kind >= KindReady && m.Kind <= KindPrune {
		return fmt.Errorf("%s as an unknown message", m.Kind)
	}
	return nil
}

func number(what string, n uint64) error {
	if n > MaxNumber {
		return fmt.Errorf("%s of %d exceeds the limit of %d", what, n, uint64(MaxNumber))
	}
	return nil
}

func request(n uint64) error {
	if n == 0 {
		return fmt.Errorf("request without a number")
	}
	return number("request", n)
}

func count(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%d %s exceed the limit of %d", n, what, limit)
	}
	return nil
}

func size(what string, b []byte, limit int) error {
	if len(b) == 0 || len(b) > limit {
		return fmt.Errorf("%s of %d bytes, want 1 to %d", what, len(b), limit)
	}
	return nil
}

func sizes(what string, list [][]byte, most, limit int) error {
	if err := count(what+"s", len(list), most); err != nil {
		return err
	}
	for _, b := range list {
		if err := size(what, b, limit); err != nil {
			return err
		}
	}
	return nil
}
