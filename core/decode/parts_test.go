package decode

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trailship/trailship/core/event"
)

// begun reads the first record of an object and begins its event.
func begun(t *testing.T, object []byte) *event.Event {
	t.Helper()
	rec, err := NewReader(bytes.NewReader(object), Limits{}).Next()
	if err != nil {
		t.Fatal(err)
	}
	ev := new(event.Event)
	if err := Begin(ev, rec); err != nil {
		t.Fatal(err)
	}
	return ev
}

// readable reads a fixture that a Reader finds a record in.
func readable(t *testing.T, file string) []byte {
	object, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(bytes.NewReader(object), Limits{}).Next(); err == io.EOF {
		t.Fatalf("%s: no record", file)
	}
	return object
}

func TestAFieldIsWholeOnceItsPartsAreLoaded(t *testing.T) {
	names := map[string]int{}
	for i, f := range reflect.VisibleFields(reflect.TypeFor[event.Event]()) {
		if name := f.Tag.Get("expr"); name != "" && name != "-" {
			names[name] = i
		}
	}
	for _, file := range fixtures(t) {
		object := readable(t, file)
		full := begun(t, object)
		if err := full.Load(event.PartsAll); err != nil {
			t.Fatal(err)
		}
		for name, i := range names {
			ev := begun(t, object)
			if err := ev.Load(event.PartsOf(name)); err != nil {
				t.Fatal(err)
			}
			want, got := reflect.ValueOf(*full).Field(i).Interface(), reflect.ValueOf(*ev).Field(i).Interface()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s after loading its parts alone (-whole +got)\n%s", file, name, diff)
			}
		}
	}
}

func TestAnEventIsEmptyAfterResetWhateverWasLoaded(t *testing.T) {
	for _, file := range fixtures(t) {
		object := readable(t, file)
		for n := range event.Parts(1 << closedParts) {
			parts := n * event.PartID // all sets of closed parts
			ev := begun(t, object)
			_ = ev.Load(parts)
			ev.Reset()
			if diff := cmp.Diff(&event.Event{}, ev, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(event.Event{}, "Text"), cmp.AllowUnexported(event.Event{})); diff != "" {
				t.Fatalf("%s: after loading %b (-empty +got)\n%s", file, parts, diff)
			}
		}
	}
}

func TestTheOrderInWhichPartsAreLoadedDoesNotMatter(t *testing.T) {
	parts := []event.Parts{event.PartID, event.PartIP, event.PartUserAgent, event.PartError, event.PartOutcome, event.PartPrincipal, event.PartResources, event.PartOCSF,
		event.PartRequest, event.PartResponse, event.PartRaw, event.PartUnmapped}
	for _, file := range fixtures(t) {
		object := readable(t, file)
		var whole event.Event
		if err := Normalize(&whole, Record{Raw: begun(t, object).RawJSON}); err != nil {
			t.Fatal(err)
		}
		want := render(t, &whole)
		for seed := range uint64(5) {
			ev := begun(t, object)
			for _, n := range rand.New(rand.NewPCG(seed, 0)).Perm(len(parts)) {
				if err := ev.Load(parts[n]); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, render(t, ev)); diff != "" {
				t.Errorf("%s, seed %d: (-at once +part by part)\n%s", file, seed, diff)
			}
		}
	}
}

func TestAnEventBegunAnewHoldsNothingOfTheOneBefore(t *testing.T) {
	ignored := []cmp.Option{cmpopts.IgnoreFields(event.Event{}, "Text", "Rest", "Outline", "Person"), cmpopts.IgnoreUnexported(event.Event{}), cmpopts.EquateEmpty()}
	files := fixtures(t)
	for i, file := range files {
		object := readable(t, file)
		want := begun(t, object)
		for _, loaded := range []event.Parts{0, event.PartOutcome, event.PartsAll} {
			ev := begun(t, readable(t, files[(i+1)%len(files)]))
			if err := ev.Load(loaded); err != nil {
				t.Fatal(err)
			}
			rec, err := NewReader(bytes.NewReader(object), Limits{}).Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := Begin(ev, rec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, ev, ignored...); diff != "" {
				t.Errorf("%s (-fresh +used)\n%s", file, diff)
			}
		}
	}
}
