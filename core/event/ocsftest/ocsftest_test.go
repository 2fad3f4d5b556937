package ocsftest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheReferenceSamplesAreValid(t *testing.T) {
	schema := Load(t)
	files, _ := filepath.Glob(filepath.Join(Shared(t, "ocsf/samples"), "*.ocsf.json"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if r := schema.Check(text); len(r.Errors)+len(r.Warnings) > 0 {
			t.Errorf("%s: %v %v", file, r.Errors, r.Warnings)
		}
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	schema := Load(t)
	text, err := os.ReadFile(Shared(t, "ocsf/samples/ct_kms_disablekey.ocsf.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		want     Report
	}{
		{`"time":`, `"tme":`, Report{Errors: []string{"time: required and missing", "tme: no such attribute"}}},
		{`"ip": "192.0.2.10"`, `"ip": "AWS Internal"`, Report{Errors: []string{`src_endpoint.ip: "AWS Internal" is not a ip_t`}}},
		{`"ip": "192.0.2.10"`, `"port": 1`, Report{Errors: []string{"src_endpoint: at_least_one of ip, uid, name, hostname, svc_name, instance_uid, interface_uid, interface_name, domain"}}},
		{`"status_id": 1`, `"status_id": 7`, Report{Errors: []string{"status_id: 7 is not in the enum"}}},
		{`"type_uid": 600303`, `"type_uid": 600304`, Report{Errors: []string{"type_uid: 600304 is not class_uid*100 + activity_id"}}},
		{`"category_uid": 6`, `"category_uid": 3`, Report{Errors: []string{"category_uid: 3 is not in the enum", "category_uid: 3 is not the category of class 6003"}}},
		{`"region": "us-west-2"`, `"region": 7`, Report{Errors: []string{"cloud.region: json.Number is not a string_t"}}},
		{`"provider": "AWS",`, ``, Report{Errors: []string{"cloud.provider: required and missing"}}},
		{`"is_mfa": true`, `"is_mfa": "true"`, Report{Errors: []string{"actor.session.is_mfa: string is not a boolean"}}},
		{`"api": {`, `"invoked": {`, Report{Errors: []string{"api: required and missing", "invoked: no such attribute"}}},
		{`"actor": {`, `"actor": {"invoked_by": "x",`, Report{Warnings: []string{"actor.invoked_by: deprecated since 1.2.0"}}},
	} {
		broken := strings.Replace(string(text), c.old, c.new, 1)
		if broken == string(text) {
			t.Errorf("the sample has no %s", c.old)
		}
		if diff := cmp.Diff(c.want, schema.Check([]byte(broken))); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.new, diff)
		}
	}
}
