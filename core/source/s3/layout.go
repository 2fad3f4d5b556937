package s3

import (
	"regexp"
	"strings"
	"time"
)

// Both clouds file what they deliver by account, region and day:
//
//	…AWSLogs/[o-ORG/]ACCOUNT/CloudTrail[-KIND]/REGION/YYYY/MM/DD/…
//	…AliyunLogs/Actiontrail[-Insight]/[RD/ACCOUNT/]REGION/YYYY/MM/DD/…
//
// A leaf is everything above the year: its keys are in order of the day and,
// nearly, of the minute they were delivered.

// place is where a path is, seen from the layouts.
type place int

const (
	elsewhere place = iota // in no layout we know
	above                  // in one, above its leaves
	within                 // a leaf, or in one
	foreign                // in one, among what is no trail: digests, access logs
)

// The folders of an account that hold records.
var trails = map[string]bool{
	"CloudTrail": true, "CloudTrail-Insight": true, "CloudTrail-NetworkActivity": true, "CloudTrail-Aggregated": true,
	"Actiontrail": true, "Actiontrail-Insight": true,
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// locate says where a path is and, within, which leaf (with its slash) it is
// in. Only the folders of the path count, those that end in a slash.
func locate(path string) (at place, leaf string) {
	for root, steps := range layouts {
		if _, below, ok := strings.Cut("/"+path, "/"+root); ok {
			at, left := steps(strings.Split(below, "/"))
			if at == within {
				leaf = strings.TrimSuffix(path, strings.Join(left, "/"))
			}
			return at, leaf
		}
	}
	return elsewhere, ""
}

// layouts goes down the folders below a root. The last name is no folder. What
// is left is what lies below a leaf.
var layouts = map[string]func(names []string) (at place, left []string){
	"AWSLogs/":    awsSteps,
	"AliyunLogs/": aliyunSteps,
}

func awsSteps(names []string) (place, []string) {
	if len(names) > 1 && strings.HasPrefix(names[0], "o-") {
		names = names[1:]
	}
	switch {
	case len(names) == 1:
		return above, nil
	case !digits.MatchString(names[0]):
		return foreign, nil
	case len(names) == 2:
		return above, nil
	case !trails[names[1]]:
		return foreign, nil
	case len(names) == 3:
		return above, nil
	}
	return within, names[3:]
}

func aliyunSteps(names []string) (place, []string) {
	switch {
	case len(names) == 1:
		return above, nil
	case !trails[names[0]]:
		return foreign, nil
	}
	names = names[1:]
	if len(names) > 1 && strings.HasPrefix(names[0], "rd-") {
		names = names[1:]
	}
	if len(names) > 1 && digits.MatchString(names[0]) {
		names = names[1:]
	}
	if len(names) == 1 {
		return above, nil
	}
	return within, names[1:]
}

// delivered matches the moment in a file's name, as in
// 123456789012_CloudTrail_eu-west-1_20260314T1505Z_Ab12Cd34Ef56Gh78.json.gz or
// Actiontrail_cn-hangzhou_20260314150500_1002_4_1146_0f…e.gz.
var delivered = regexp.MustCompile(`_(20[0-9]{6})T?([0-9]{4})(?:[0-9]{2})?Z?_`)

// stampOf is the moment of delivery in a key below a leaf: of its name or else
// of its folder. ok is false for a key that is filed under no day.
func stampOf(leaf, key string) (t time.Time, ok bool) {
	below := strings.TrimPrefix(key, leaf)
	if len(below) <= len(dayLayout) {
		return t, false
	}
	day, err := time.Parse(dayLayout, below[:len(dayLayout)])
	if err != nil {
		return t, false
	}
	if m := delivered.FindStringSubmatch(below[len(dayLayout):]); m != nil {
		if t, err := time.Parse("200601021504", m[1]+m[2]); err == nil {
			return t, true
		}
	}
	return day, true
}

// dayLayout is a day as it is filed.
const dayLayout = "2006/01/02/"

// dayKey is where the keys of a day begin; of no day, where the leaf begins.
func dayKey(leaf string, day time.Time) string {
	if day.IsZero() {
		return leaf
	}
	return leaf + day.UTC().Format(dayLayout)
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
