package s3

import (
	"testing"
	"time"
)

func TestLocate(t *testing.T) {
	const org = "AWSLogs/o-abc123def4/111122223333/CloudTrail/eu-west-1/"
	for _, test := range []struct {
		path string
		at   place
		leaf string
	}{
		{"", elsewhere, ""},
		{"logs/app/2026/01/01/x.json", elsewhere, ""},
		{"AWSLogs", elsewhere, ""},
		{"AWSLogs/", above, ""},
		{"MyAWSLogs/1/CloudTrail/eu-west-1/", elsewhere, ""},
		{"a/b/AWSLogs/", above, ""},
		{"AWSLogs/o-abc123def4/", above, ""},
		{"AWSLogs/111122223333/", above, ""},
		{"AWSLogs/111122223333/CloudTrail/", above, ""},
		{"AWSLogs/111122223333/CloudTrail/eu-west-1/", within, "AWSLogs/111122223333/CloudTrail/eu-west-1/"},
		{"a/AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/01/01/x.json.gz", within, "a/AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/"},
		{org + "2026/", within, org},
		{org, within, org},
		{"AWSLogs/111122223333/CloudTrail-NetworkActivity/eu-west-1/", within, "AWSLogs/111122223333/CloudTrail-NetworkActivity/eu-west-1/"},
		{"AWSLogs/111122223333/CloudTrail-Digest/", foreign, ""},
		{"AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/x.json.gz", foreign, ""},
		{"AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2026/01/01/x.log.gz", foreign, ""},
		{"AWSLogs/111122223333/Config/", foreign, ""},
		{"AWSLogs/aws-account-id=1/", foreign, ""},
		{"AliyunLogs/", above, ""},
		{"AliyunLogs/Actiontrail/", above, ""},
		{"x/AliyunLogs/Actiontrail/cn-hangzhou/2026/01/01/f.gz", within, "x/AliyunLogs/Actiontrail/cn-hangzhou/"},
		{"AliyunLogs/Actiontrail-Insight/ap-southeast-1/", within, "AliyunLogs/Actiontrail-Insight/ap-southeast-1/"},
		{"AliyunLogs/Actiontrail/rd-abc123/", above, ""},
		{"AliyunLogs/Actiontrail/rd-abc123/1234567890123456/", above, ""},
		{"AliyunLogs/Actiontrail/rd-abc123/1234567890123456/cn-hangzhou/2026/", within, "AliyunLogs/Actiontrail/rd-abc123/1234567890123456/cn-hangzhou/"},
		{"AliyunLogs/Other/", foreign, ""},
	} {
		if at, leaf := locate(test.path); at != test.at || leaf != test.leaf {
			t.Errorf("%s: got %d in %q, want %d in %q", test.path, at, leaf, test.at, test.leaf)
		}
	}
}

func TestStampOf(t *testing.T) {
	const leaf = "AWSLogs/1/CloudTrail/eu-west-1/"
	for below, want := range map[string]string{
		"2026/03/14/1_CloudTrail_eu-west-1_20260314T1505Z_Ab12Cd34Ef56Gh78.json.gz": "2026-03-14T15:05:00Z",
		"2026/03/15/1_CloudTrail_eu-west-1_20260314T2355Z_Ab12Cd34Ef56Gh78.json.gz": "2026-03-14T23:55:00Z",
		"2026/03/14/Actiontrail_cn-hangzhou_20260314150559_1002_4_1146_0f.gz":       "2026-03-14T15:05:00Z",
		"2026/03/14/by-hand.json": "2026-03-14T00:00:00Z",
		"2026/13/14/by-hand.json": "",
		"by-hand.json":            "",
		"2026/03/14/":             "",
	} {
		got := ""
		if at, ok := stampOf(leaf, leaf+below); ok {
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", below, got, want)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("AWSLogs/o-abc123def4/111122223333/CloudTrail/eu-west-1/2026/03/14/1_CloudTrail_eu-west-1_20260314T1505Z_x.json.gz")
	f.Add("AliyunLogs/Actiontrail/rd-abc123/1234567890123456/cn-hangzhou/2026/")
	f.Fuzz(func(t *testing.T, path string) {
		at, leaf := locate(path)
		if (at == within) != (leaf != "") || len(leaf) > len(path) || path[:len(leaf)] != leaf {
			t.Errorf("%q is %d, in %q", path, at, leaf)
		}
		if at == within {
			if at, again := locate(leaf); at != within || again != leaf {
				t.Errorf("the leaf %q of %q is %d, in %q", leaf, path, at, again)
			}
			stampOf(leaf, path)
		}
	})
}
