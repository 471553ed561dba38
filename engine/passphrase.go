package engine

import "fmt"

// SetPassphrase seals the secrets file with a passphrase, which the next start asks for; an empty one leaves it plain. It
// returns when that is on the disk. Copies of the file from before stay as they are.
func (e *Engine) SetPassphrase(passphrase []byte) error {
	var err error
	if e2 := e.do(func(c *core) {
		c.keys.SetPassphrase(passphrase)
		if err = c.keys.Save(); err != nil {
			err = fmt.Errorf("%w: %w", ErrHomeNotWritable, err)
		}
	}); e2 != nil {
		return e2
	}
	return err
}
