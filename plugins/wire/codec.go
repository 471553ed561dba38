package wire

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that is wrapped
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"opentalk/plugins/hook"
)

// maxParts is how many messages one that comes from a plugin may hold: as many as a registration has extensions and handlers.
const maxParts = hook.MaxExtensions*(hook.MaxHandlers+1) + 1

// careful is the codec of the chat. An empty message takes two bytes on the wire and two hundred in memory, so a limit on
// bytes alone would let a plugin fill a hundred times that: the parts are counted before they are made.
type careful struct{ encoding.CodecV2 }

func newCareful() careful { return careful{encoding.GetCodecV2("proto")} }

func (c careful) Unmarshal(data mem.BufferSlice, v any) error {
	if m, ok := v.(proto.Message); ok {
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		n := parts(m.ProtoReflect().Descriptor(), buf.ReadOnlyData(), maxParts)
		buf.Free()
		if n > maxParts {
			return fmt.Errorf("a message holds more than %d others", maxParts)
		}
	}
	return c.CodecV2.Unmarshal(data, v)
}

// parts counts the messages in b, which holds a message of type d, and stops soon after limit. What is malformed is left to the
// decoder.
func parts(d protoreflect.MessageDescriptor, b []byte, limit int) int {
	n := 0
	for len(b) > 0 && n <= limit {
		num, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return n
		}
		size := protowire.ConsumeFieldValue(num, typ, b[tag:])
		if size < 0 {
			return n
		}
		f := d.Fields().ByNumber(num)
		if typ == protowire.BytesType && f != nil && f.Message() != nil {
			inner, _ := protowire.ConsumeBytes(b[tag:])
			n += 1 + parts(f.Message(), inner, limit-n)
		}
		b = b[tag+size:]
	}
	return n
}
