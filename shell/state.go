package shell

import (
	"encoding/json"
	"os"
)

// state is what the shell remembers from one start to the next. It is no loss if it is lost.
type state struct {
	Round string `json:"round"` // tag of the round last used
}

// readState returns what was kept, nothing if that is not there or cannot be read.
func readState(file string) (s state) {
	if b, err := os.ReadFile(file); err == nil {
		json.Unmarshal(b, &s)
	}
	return s
}

// write puts the state in the place of the one before, all of it or nothing.
func (s state) write(file string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeFile(file, append(b, '\n'))
}
