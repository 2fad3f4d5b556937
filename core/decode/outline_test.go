package decode

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/event"
)

// wordings are ways to write what was done: "" leaves the member out.
var wordings = map[string][]string{
	"eventSource":     {"", `null`, `""`, `"kms.amazonaws.com"`, `"KMS.amazonaws.com.cn"`, `"kms.amazonaws.co"`, `"kms\u002eamazonaws.com"`, `"https://kms-intranet.cn-hangzhou.aliyuncs.com:443/x"`, `17`, `["kms"]`, `"` + strings.Repeat("k", longestOutline) + `"`},
	"serviceName":     {"", `null`, `""`, `"Kms"`, `"AasSub"`, `"K\u006ds"`, `false`},
	"eventName":       {"", `null`, `""`, `"Decrypt"`, `"Decrypu"`, `"ConsoleLogin"`, `"ConsoleSignin"`, `"Dec\u0072ypt"`, `"Décrypt"`, `true`, `1.5`, `{"a":"b"}`, `"` + strings.Repeat("D", 2*longestOutline) + `"`},
	"eventType":       {"", `null`, `""`, `"AwsApiCall"`, `"AwsServiceEvent"`, `"AwsCloudTrailInsight"`, `"ApiCall"`, `"ConsoleSignout"`, `7`},
	"eventCategory":   {"", `null`, `""`, `"Management"`, `"Data"`, `"Insight"`, `"NetworkActivity"`, `"D\u0061ta"`},
	"readOnly":        {"", `null`, `""`, `true`, `false`, `"true"`, `"false"`},
	"managementEvent": {"", `null`, `true`, `false`, `"false"`},
	"eventRW":         {"", `null`, `"Read"`, `"Write"`, `"Re\u0061d"`},
	"insightDetails":  {"", `null`, `{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}`, `{"EventName":"RunInstances"}`, `{"eventName":"Other","eventName":null}`, `{"eventName":"Ot\u0068er"}`, `"eventName"`},
}

// records writes an object of records that differ in nothing but how they say
// what was done, often in one word alone.
func records(t *rapid.T, n int) []byte {
	said := map[string]string{}
	names := rapid.SampledFrom([]string{"eventSource", "serviceName", "eventName", "eventType", "eventCategory", "readOnly", "managementEvent", "eventRW", "insightDetails"})
	word := func(name string) { said[name] = rapid.SampledFrom(wordings[name]).Draw(t, name) }
	for name := range wordings {
		said[name] = ""
	}
	var object bytes.Buffer
	for range n {
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			word(names.Draw(t, "changed"))
		}
		region := rapid.SampledFrom([]string{"awsRegion", "acsRegion"}).Draw(t, "region")
		fmt.Fprintf(&object, `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z","%s":"r","userIdentity":{"accountId":"1","type":"Root"}`, region)
		for name := range wordings {
			if said[name] != "" {
				fmt.Fprintf(&object, `,%q:%s`, name, said[name])
			}
		}
		object.WriteString("}\n")
	}
	return object.Bytes()
}

// done is what an event with a number promises to share with others of it.
type done struct{ format, provider, service, action, kind, access string }

func doneIn(ev *event.Event) done {
	return done{ev.Format, ev.Provider, ev.Service, ev.Action, ev.Kind, ev.Access}
}

// TestAReaderThatSawOtherRecordsMakesTheSameEvent: as a new one does, and the
// same number means the same outline.
func TestAReaderThatSawOtherRecordsMakesTheSameEvent(t *testing.T) {
	ignored := []cmp.Option{cmpopts.IgnoreFields(event.Event{}, "Text", "Rest", "Outline", "Person"), cmpopts.IgnoreUnexported(event.Event{}), cmpopts.EquateEmpty()}
	rapid.Check(t, func(t *rapid.T) {
		old, outlines := NewReader(bytes.NewReader(records(t, rapid.IntRange(1, 60).Draw(t, "n"))), Limits{}), map[uint64]done{}
		used := new(event.Event)
		for {
			rec, err := old.Next()
			if _, lost := err.(*Reject); lost {
				continue
			} else if err != nil {
				return
			}
			fresh := new(event.Event)
			if err := Normalize(fresh, newRecord(t, rec.Raw)); err != nil {
				t.Fatal(err)
			}
			if err := Normalize(used, rec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fresh, used, ignored...); diff != "" {
				t.Fatalf("%s (-new reader +used reader)\n%s", rec.Raw, diff)
			}
			was, known := outlines[used.Outline]
			if known && used.Outline != 0 && was != doneIn(used) {
				t.Fatalf("%s: outline %d is %v and %v", rec.Raw, used.Outline, was, doneIn(used))
			}
			outlines[used.Outline] = doneIn(used)
		}
	})
}

// newRecord is a record as a reader that saw no other returns it.
func newRecord(t *rapid.T, raw []byte) Record {
	rec, err := NewReader(bytes.NewReader(raw), Limits{}).Next()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestMoreOutlinesThanAreRememberedAreToldApart: twice, the second time back.
func TestMoreOutlinesThanAreRememberedAreToldApart(t *testing.T) {
	const n = 3 * 4 << outlineBits
	var object bytes.Buffer
	for i := range 2 * n {
		fmt.Fprintf(&object, `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z","awsRegion":"r","eventSource":"s.amazonaws.com","eventName":"Do%d"}`, min(i, 2*n-1-i))
	}
	outlines := map[uint64]done{}
	beginEach(t, 2*n, &object, func(i int, ev *event.Event) {
		want := done{event.CloudTrail, "aws", "s", fmt.Sprint("Do", min(i, 2*n-1-i)), "api", ""}
		if was, known := outlines[ev.Outline]; doneIn(ev) != want || known && was != want || ev.Outline == 0 {
			t.Fatalf("record %d: outline %d is %v, want %v; it was %v", i, ev.Outline, doneIn(ev), want, was)
		}
		outlines[ev.Outline] = want
	})
}

// beginEach begins the n events of an object and hands each on.
func beginEach(t *testing.T, n int, object io.Reader, begun func(i int, ev *event.Event)) {
	t.Helper()
	r, ev := NewReader(object, Limits{}), new(event.Event)
	for i := range n {
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := Begin(ev, rec); err != nil {
			t.Fatal(err)
		}
		begun(i, ev)
	}
}

// TestOnlyWhatIsShortAndPlainHasANumber, which stays the same.
func TestOnlyWhatIsShortAndPlainHasANumber(t *testing.T) {
	for _, c := range []struct {
		words string
		want  bool
	}{
		{`"eventSource":"kms.amazonaws.com","eventName":"Decrypt"`, true},
		{`"eventSource":"kms.amazonaws.com","eventName":""`, true},
		{`"eventName":null`, true},
		{`"eventName":"D\u0065crypt"`, false},
		{`"eventName":"` + strings.Repeat("D", longestOutline) + `"`, false},
		{`"eventCategory":"Insight","insightDetails":{"eventName":"Decrypt"}`, true},
		{`"eventCategory":"Insight","insightDetails":{"eventName":"D\u0065crypt"}`, false},
	} {
		record := `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z","awsRegion":"r","recipientAccountId":"1",` + c.words + `}`
		numbers := numbersOf(t, record, func(ev *event.Event) uint64 { return ev.Outline })
		if numbers[0] != numbers[1] || (numbers[0] != 0) != c.want {
			t.Errorf("%.99s: outlines %d, want a number: %v", c.words, numbers, c.want)
		}
	}
}

// numbersOf are the numbers of a record's event and of the same once more.
func numbersOf(t *testing.T, record string, number func(*event.Event) uint64) (numbers [2]uint64) {
	t.Helper()
	beginEach(t, 2, strings.NewReader(record+record), func(i int, ev *event.Event) { numbers[i] = number(ev) })
	return numbers
}

// TestFewOutlinesOfATrailTakeEachOthersPlace: 300 calls of 30 services, twice.
func TestFewOutlinesOfATrailTakeEachOthersPlace(t *testing.T) {
	const n = 300
	var object bytes.Buffer
	for i := range 2 * n {
		fmt.Fprintf(&object, `{"eventID":"e","eventTime":"2026-08-01T09:00:00Z","awsRegion":"r","eventSource":"service%d.amazonaws.com","eventName":"Describe%dThings"}`, i%30, i%n)
	}
	var first [n]uint64
	again := 0
	beginEach(t, 2*n, &object, func(i int, ev *event.Event) {
		if i < n {
			first[i] = ev.Outline
		} else if ev.Outline != 0 && ev.Outline == first[i-n] {
			again++
		}
	})
	if again < n*95/100 {
		t.Errorf("%d of %d outlines were remembered", again, n)
	}
}
