package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// pieces is a message as it comes from the wire, in frames.
func pieces(message []byte, size int) mem.BufferSlice {
	var s mem.BufferSlice
	for len(message) > 0 {
		n := min(size, len(message))
		s = append(s, mem.SliceBuffer(message[:n]))
		message = message[n:]
	}
	return s
}

func requestOf(texts ...string) *pb.DeliverRequest {
	req := &pb.DeliverRequest{BatchId: "7"}
	for i, text := range texts {
		req.Alerts = append(req.Alerts, &pb.Alert{
			Id: fmt.Sprint("id", i), RuleId: "rule", Severity: "low", EventTime: 1_772_409_600_000, Attempt: 1, Key: "key", Json: []byte(text),
		})
	}
	return req
}

func marshaled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	text, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// packed moves the JSON of the named alerts into a pack.
func packed(req *pb.DeliverRequest, alerts ...int) *pb.DeliverRequest {
	var json []byte
	for _, i := range alerts {
		a := req.Alerts[i]
		json = append(json, a.Json...)
		a.Json, a.JsonSize = nil, uint32(len(a.Json))
	}
	req.Packs = append(req.Packs, s2.Encode(nil, json))
	return req
}

// unpackedPlainly does what the comments in output.proto say.
func unpackedPlainly(req *pb.DeliverRequest) error {
	var json []byte
	for _, pack := range req.Packs {
		text, err := s2.Decode(nil, pack)
		if err != nil {
			return err
		}
		json = append(json, text...)
	}
	for _, a := range req.Alerts {
		if len(a.Json) > 0 {
			continue
		}
		if len(json) < int(a.JsonSize) {
			return errors.New("too short")
		}
		a.Json, json = json[:a.JsonSize], json[a.JsonSize:]
	}
	if len(json) > 0 {
		return errors.New("too long")
	}
	return nil
}

func FuzzABatchIsReadAsProtobufReadsIt(f *testing.F) {
	f.Add(marshaled(f, requestOf(`{"a":1}`, ``, `{"b":2}`)))
	f.Add([]byte("\x12\x0a\x3a\x02{}\x0a\x01i\x3a\x01x"))       // JSON twice, and before the id
	f.Add([]byte("\x12\x04\x0a\x02\xff\xfe"))                   // an id that is not UTF-8
	f.Add([]byte("\x10\x01\x22\x01x\x12\x05\x38\x07\x4a\x01y")) // kinds and fields that are not ours
	f.Add([]byte("\x12\x05\x3a\x09{}"))                         // torn
	f.Add(marshaled(f, packed(packed(requestOf(`{"a":1}`, `{"b":2}`, `{"c":3}`, `{"d":4}`), 0, 2), 3)))
	f.Fuzz(func(t *testing.T, message []byte) {
		want := &pb.DeliverRequest{}
		wantErr := proto.Unmarshal(message, want)
		for _, pack := range want.Packs {
			if n, err := s2.DecodedLen(pack); err == nil && n > 1<<20 {
				return // a test of its own
			}
		}
		if wantErr == nil {
			wantErr = unpackedPlainly(want)
		}
		b := &batch{}
		err := newCodec().Unmarshal(pieces(message, 5), b)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, protobuf says %v", err, wantErr)
		}
		if err == nil && !proto.Equal(want, &b.request) {
			t.Error(cmp.Diff(want, &b.request, protocmp.Transform()))
		}
	})
}

func TestPacksThatAreNotTheAlertsAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*pb.DeliverRequest){
		`the packs end in alert "id1"`:                   func(r *pb.DeliverRequest) { r.Alerts[1].JsonSize++ },
		"the packs have 1 bytes more than the alerts":    func(r *pb.DeliverRequest) { r.Alerts[1].JsonSize-- },
		"unpacking: s2: corrupt input":                   func(r *pb.DeliverRequest) { r.Packs[0] = r.Packs[0][:3] },
		"a pack of 0 bytes: s2: corrupt input":           func(r *pb.DeliverRequest) { r.Packs[0] = nil },
		"a pack of 67108865 bytes: s2: decoded block is": func(r *pb.DeliverRequest) { r.Packs[0] = []byte("\x81\x80\x80\x20") },
	} {
		req := packed(requestOf(`{"a":1}`, `{"b":2}`), 0, 1)
		spoil(req)
		err := newCodec().Unmarshal(pieces(marshaled(t, req), 100), &batch{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// keeper keeps the JSON it was given, and what it was then.
type keeper struct {
	kept   [][]byte
	copies []string
}

func (k *keeper) Deliver(_ context.Context, alerts []Alert) error {
	for _, a := range alerts {
		k.kept = append(k.kept, a.JSON)
		k.copies = append(k.copies, string(a.JSON))
	}
	return nil
}

func (k *keeper) Close() error { return nil }

// borrower is a keeper that claims to be none.
type borrower struct{ *keeper }

func (borrower) KeepsNothing() {}

func TestAnOutputMayKeepWhatItIsGivenUnlessItSaidItDoesNot(t *testing.T) {
	for _, borrows := range []bool{false, true} {
		k := &keeper{}
		s := newServer(func() (Output, error) {
			if borrows {
				return borrower{k}, nil
			}
			return k, nil
		})
		if _, err := s.Configure(t.Context(), &pb.ConfigureRequest{}); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 26 {
			text := strings.Repeat(string(rune('a'+i)), 50_000-1000*i)
			want = append(want, text, "{}")
			req := requestOf(text, "{}")
			if i%3 > 0 {
				packed(req, 0, 1)
			}
			message := marshaled(t, req)
			// What gRPC calls.
			if _, err := deliver(s, t.Context(), func(v any) error { return newCodec().Unmarshal(pieces(message, 16<<10), v) }, nil); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, k.copies); diff != "" {
			t.Error("given", diff)
		}
		for i, json := range k.kept {
			if !borrows && string(json) != want[i] {
				t.Errorf("alert %d was %.20s and became %.20s", i, want[i], json)
			}
		}
	}
}
