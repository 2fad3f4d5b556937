package sdktest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// idLength is how long the ids of alerts are.
const idLength = 26

// hostile is what strangers write into trails.
const hostile = "../../etc/passwd\r\nX-Injected: 1 {{.message}} ${HOME} <!channel> \x1b[31m \u202e \u2028 \"quoted\" \\ é 漢 \x00"

// alert makes an alert nobody sent before, with words in its message.
func (s *suite) alert(words string) *pb.Alert {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.nonce, len(s.sent)))
	id := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:idLength]
	s.sent[id] = true
	at := time.Date(2026, 8, 3, 9, 12, 44, 0, time.UTC)
	return &pb.Alert{
		Id: id, RuleId: "sdktest-rule", Severity: "low", EventTime: at.UnixMilli(), Attempt: 1, Key: "sdktest",
		Json: payload(id, "a test alert of trailship's conformance suite "+words, at),
	}
}

// alerts makes n alerts.
func (s *suite) alerts(n int, words string) []*pb.Alert {
	all := make([]*pb.Alert, n)
	for i := range all {
		all[i] = s.alert(words)
	}
	return all
}

// next is the alert as it comes again.
func next(a *pb.Alert) *pb.Alert {
	again := proto.CloneOf(a)
	again.Attempt++
	return again
}

func again(alerts []*pb.Alert) []*pb.Alert {
	all := make([]*pb.Alert, len(alerts))
	for i, a := range alerts {
		all[i] = next(a)
	}
	return all
}

// payload is a Detection Finding as the daemon writes it.
func payload(id, message string, at time.Time) []byte {
	type m = map[string]any
	rule := m{"uid": "sdktest-rule", "name": "Conformance", "type": "Rule", "type_id": 1}
	finding := m{
		"activity_id": 1, "activity_name": "Create", "category_uid": 2, "class_uid": 2004, "type_uid": 200401,
		"class_name": "Detection Finding", "message": message, "severity_id": 2, "severity": "Low", "time": at.UnixMilli(),
		"finding_info": m{"uid": id, "title": "Conformance", "analytic": rule, "created_time": at.UnixMilli()},
		"metadata":     m{"uid": id, "version": "1.8.0", "product": m{"name": "trailship", "vendor_name": "trailship"}},
		"evidences": []m{{
			"actor":        m{"user": m{"name": "sdktest", "uid": "111122223333"}},
			"api":          m{"operation": "DisableKey", "service": m{"name": "kms.amazonaws.com"}},
			"src_endpoint": m{"ip": "198.51.100.7"},
		}},
		"unmapped": m{"rule_severity": "low", "fields": m{"key": "1234abcd"}, "source": "sdktest", "object": "sdktest.json", "record": 0},
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(finding); err != nil {
		panic(err) // maps of strings and numbers always encode
	}
	return bytes.TrimSpace(text.Bytes())
}

// idsIn returns the words of an item that may be alerts' ids. Items are large
// at times, and read often.
func idsIn(item string) map[string]bool {
	found := map[string]bool{}
	start := 0
	for i := 0; i <= len(item); i++ {
		if i < len(item) && (item[i] >= 'a' && item[i] <= 'z' || item[i] >= '2' && item[i] <= '7') {
			continue
		}
		if i-start == idLength {
			found[item[start:i]] = true
		}
		start = i + 1
	}
	return found
}

// held returns how many items of the destination hold each of this run's
// alerts.
func (s *suite) held(ctx context.Context) (map[string]int, error) {
	items, err := s.ReadBack(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading back: %w", err)
	}
	counts := map[string]int{}
	for _, item := range items {
		for id := range idsIn(item) {
			if s.sent[id] {
				counts[id]++
			}
		}
	}
	return counts, nil
}

// arrived waits until alerts that were acknowledged are at the destination,
// and returns how many times the one held most often is there. Without a way
// to read back it is 0.
func (s *suite) arrived(ctx context.Context, alerts ...*pb.Alert) (most int, err error) {
	if s.ReadBack == nil {
		return 0, nil
	}
	// A reading under way when the time is over may end: it is the one to tell.
	enough := time.After(s.arrive)
	for {
		read, cancel := context.WithTimeout(ctx, s.call)
		counts, err := s.held(read)
		cancel()
		missing := 0
		for _, a := range alerts {
			most = max(most, counts[a.Id])
			if counts[a.Id] == 0 {
				missing++
			}
		}
		if err == nil && missing == 0 {
			return most, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		case <-enough:
			if err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("acknowledge an alert only when it is safe at the destination: %d of %d acknowledged ones are not there", missing, len(alerts))
		}
	}
}
