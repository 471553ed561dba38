//go:build !linux

package scripts

import "errors"

// limitAddressSpace does nothing: macOS and Windows have no such limit.
func limitAddressSpace() error { return errors.ErrUnsupported }
