package shell

import (
	"encoding/json"
	"os"

	"opentalk/engine"
)

// state is what the shell remembers from one start to the next. It is no loss if it is lost.
type state struct {
	Round string                     `json:"round"`          // tag of the round last used
	Read  map[string]engine.Position `json:"read,omitempty"` // how far a person has read, by tag
}

// readState returns what was kept, nothing if that is not there or cannot be read.
func readState(file string) (s state) {
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &s) != nil {
		return state{}
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
