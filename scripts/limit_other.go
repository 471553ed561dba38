//go:build !linux || cgo

package scripts

import "errors"

// limitAddressSpace does nothing: macOS and Windows have no such limit, and with cgo it would not tell what is used.
func limitAddressSpace() error { return errors.ErrUnsupported }
