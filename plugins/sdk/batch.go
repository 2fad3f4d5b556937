package sdk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// service is what a plugin serves: the generated service, but that a batch is
// not copied alert by alert.
func service() *grpc.ServiceDesc {
	s := pb.Output_ServiceDesc
	s.Methods = slices.Clone(s.Methods)
	i := slices.IndexFunc(s.Methods, func(m grpc.MethodDesc) bool { return m.MethodName == "Deliver" })
	s.Methods[i].Handler = deliver
	return &s
}

// deliver is the handler of Deliver.
func deliver(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	b, _ := spare.Get().(*batch)
	if b == nil {
		b = &batch{}
	}
	if err := decode(b); err != nil {
		return nil, err
	}
	s := srv.(*server)
	resp, err := s.Deliver(ctx, &b.request)
	if err == nil && s.borrows() && cap(b.memory)+cap(b.json) <= maxSpare {
		spare.Put(b)
	}
	return resp, err
}

// batch is a request with the memory the JSON of its alerts lies in.
type batch struct {
	request pb.DeliverRequest
	memory  []byte // of the message
	json    []byte // that was packed
}

// spare holds batches whose memory nobody looks at any more, and maxSpare is
// the largest worth keeping: most are about 1 MiB.
var spare sync.Pool

const maxSpare = 4 << 20

// codec is gRPC's own, and reads a batch too.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*batch)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	size := data.Len()
	b.memory = slices.Grow(b.memory[:0], size)[:size]
	data.CopyTo(b.memory)
	if err := readRequest(b.memory, &b.request); err != nil {
		return err
	}
	return b.unpack()
}

// unpack gives the alerts whose JSON is packed their JSON.
func (b *batch) unpack() error {
	size := 0
	for _, pack := range b.request.Packs {
		n, err := s2.DecodedLen(pack)
		if err != nil || n > MaxMessage-size {
			return fmt.Errorf("a pack of %d bytes: %w", n, cmp.Or(err, s2.ErrTooLarge))
		}
		size += n
	}
	b.json = slices.Grow(b.json[:0], size)[:size]
	to := b.json
	for _, pack := range b.request.Packs {
		json, err := s2.Decode(to, pack)
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		to = to[len(json):]
	}
	from := b.json
	for _, a := range b.request.Alerts {
		if len(a.Json) > 0 {
			continue
		}
		n := uint64(a.JsonSize)
		if n > uint64(len(from)) {
			return fmt.Errorf("the packs end in alert %q", a.Id)
		}
		a.Json, from = from[:n:n], from[n:]
	}
	if len(from) > 0 {
		return fmt.Errorf("the packs have %d bytes more than the alerts", len(from))
	}
	return nil
}

// The fields that are taken out of messages; all others are left to protobuf.
const (
	requestAlerts protowire.Number = 2
	requestPacks  protowire.Number = 3
	alertJSON     protowire.Number = 7
)

// readRequest reads a request whose JSON and packs stay where they are in
// message.
func readRequest(message []byte, req *pb.DeliverRequest) error {
	req.Reset()
	var short []byte // of an alert: all but the JSON
	var packs [][]byte
	rest, err := cut(nil, message, func(field protowire.Number, value []byte) (taken bool, err error) {
		switch field {
		case requestPacks:
			packs = append(packs, value)
			return true, nil
		case requestAlerts:
			a := &pb.Alert{}
			req.Alerts = append(req.Alerts, a)
			short, err = readAlert(short, value, a)
			return true, err
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = protobuf.UnmarshalOptions{Merge: true}.Unmarshal(rest, req)
	req.Packs = packs
	return err
}

// readAlert reads an alert whose JSON stays where it is in message. It returns
// the memory it used.
func readAlert(short, message []byte, a *pb.Alert) ([]byte, error) {
	var json []byte
	short, err := cut(short[:0], message, func(field protowire.Number, value []byte) (bool, error) {
		if field != alertJSON {
			return false, nil
		}
		json = value
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	err = protobuf.Unmarshal(short, a)
	a.Json = json
	return short, err
}

// cut calls take with every field of bytes in a message, and appends those it
// does not take, and the other fields, to dst.
func cut(dst, message []byte, take func(protowire.Number, []byte) (taken bool, err error)) (rest []byte, err error) {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeField(message)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		taken := false
		if kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			if taken, err = take(number, value[:len(value):len(value)]); err != nil {
				return nil, err
			}
		}
		if !taken {
			dst = append(dst, message[:size]...)
		}
		message = message[size:]
	}
	return dst, nil
}
