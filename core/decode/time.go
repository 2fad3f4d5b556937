package decode

import (
	"strings"
	"time"
)

// parseTime reads an event time: RFC 3339, or with a numeric zone without a
// colon. What does not parse is tried again without its spaces.
func parseTime(b []byte) (time.Time, bool) {
	if t, ok := fastTime(b); ok || len(b) == 0 {
		return t, ok
	}
	s := string(b)
	for _, text := range []string{s, strings.ReplaceAll(s, " ", "")} {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(layout, text); err == nil && sane(t) {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// sane reports whether the year still has four digits in UTC.
func sane(t time.Time) bool { y := t.UTC().Year(); return 0 <= y && y <= 9999 }

// fastTime reads the form nearly every record has, 2006-01-02T15:04:05Z.
func fastTime(s []byte) (time.Time, bool) {
	if len(s) != 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := pair(s, 0)*100+pair(s, 2), pair(s, 5), pair(s, 8)
	hour, minute, second := pair(s, 11), pair(s, 14), pair(s, 17)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	return time.Unix(int64(unixDays(year, month, day)*86400+hour*3600+minute*60+second), 0).UTC(), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// unixDays counts the days from 1970-01-01 to a date of year 1 or later: years
// begin in March, so that the odd day is their last.
func unixDays(year, month, day int) int {
	if month -= 3; month < 0 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - 719468
}

// pair reads two digits; a wrong one makes the result very negative.
func pair(s []byte, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1 << 20
	}
	return int(a)*10 + int(b)
}
