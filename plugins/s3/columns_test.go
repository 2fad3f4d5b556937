package s3

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/plugins/sdk"
)

// The columns are a promise to everybody's queries. UPDATE=1 writes them anew.
func TestTheColumnsStayTheSame(t *testing.T) {
	got := parquet.SchemaOf(finding{}).String()
	path := filepath.Join("testdata", "columns.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got+"\n"); diff != "" {
		t.Error(diff)
	}
}

// The daemon may learn to write more than the columns hold. Then this test
// wants another column.
func TestThereIsAColumnForEverythingTheDaemonWrites(t *testing.T) {
	var f event.Finding
	var ev event.Event
	fill(reflect.ValueOf(&f).Elem())
	fill(reflect.ValueOf(&ev).Elem())
	f.Mitre = []string{"TA0040", "T1685.002"}
	ev.ClassUID = event.ClassAPIActivity
	for i := range ev.Resources {
		ev.Resources[i].Asked = false
	}
	alert := event.Include(f.Append(nil, &ev), []byte(`{"class_uid":6003}`), []byte(`{"eventVersion":"1.08"}`))
	object, failed := encodeParquet(&part{alerts: []sdk.Alert{{ID: "a", JSON: alert}}})
	if len(failed) > 0 {
		t.Fatal(failed, string(alert))
	}
	if diff := cmp.Diff(plain(t, string(alert)), plain(t, textOf(t, rows(t, object)[0]))); diff != "" {
		t.Error(diff)
	}
}

// fill puts something into everything.
func fill(v reflect.Value) {
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at("09:12:44")))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"a":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf("x"))
		}
	}
}
