package rule

import (
	"strings"
	"time"
)

// ours compiles the functions of rules whose arguments have known types; nil
// for any other call.
func ours(name string, args []*closure) *closure {
	if len(args) == 0 || args[0].text == nil && name != "hours" && name != "weekday" {
		return nil
	}
	text := args[0].text
	switch name {
	case "private_ip":
		return tested(func(f *frame) bool { return privateIP(text(f)) }, args...)
	case "ieq":
		if other := args[1].text; other != nil {
			return tested(func(f *frame) bool { return strings.EqualFold(text(f), other(f)) }, args...)
		}
	case "cidr":
		return inNetworks(text, args)
	case "glob":
		return globbing(text, args)
	case "hours":
		return inHours(args)
	case "weekday":
		return weekdayOf(args)
	}
	return nil
}

// inNetworks is cidr() with constant networks.
func inNetworks(text func(*frame) string, args []*closure) *closure {
	var all []*networks
	for _, a := range args[1:] {
		n, ok := a.constant.(*networks)
		if !ok {
			return nil
		}
		all = append(all, n)
	}
	return tested(func(f *frame) bool {
		ip, ok := parsedAddress(text(f))
		if !ok {
			return false
		}
		for _, n := range all {
			if n.contains(ip) {
				return true
			}
		}
		return false
	}, args...)
}

// globbing is glob() with constant patterns.
func globbing(text func(*frame) string, args []*closure) *closure {
	var patterns []string
	fails := false
	for _, a := range args[1:] {
		switch x := a.constant.(type) {
		case string:
			patterns = append(patterns, x)
		case []string:
			patterns = append(patterns, x...)
		case []any: // texts: the checker saw to it
			for _, p := range x {
				patterns = append(patterns, p.(string))
			}
		default:
			return nil
		}
	}
	for _, p := range patterns {
		fails = fails || strings.Contains(p, "?") || len(p) > maxPattern
	}
	c := tested(func(f *frame) bool {
		s := text(f)
		for _, p := range patterns {
			ok, err := boundedGlob(p, s)
			if err != nil {
				panic(err)
			}
			if ok {
				return true
			}
		}
		return false
	}, args...)
	c.fails = c.fails || fails
	return c
}

// eventTime says that an argument is the time of the event, and another a zone
// that is known.
func eventTime(at, zone *closure) (*time.Location, bool) {
	name, ok := zone.constantText()
	if !ok || !at.isTime {
		return nil, false
	}
	loc, err := location(name)
	return loc, err == nil
}

// inHours is hours(time, …) with constants.
func inHours(args []*closure) *closure {
	loc, ok := eventTime(args[0], args[1])
	from, ok1 := args[2].constant.(int)
	to, ok2 := args[3].constant.(int)
	if !ok || !ok1 || !ok2 {
		return nil
	}
	return tested(func(f *frame) bool {
		h := f.ev.Time.In(loc).Hour()
		if from <= to {
			return from <= h && h < to
		}
		return from <= h || h < to
	})
}

// weekdays are the days as rules write them, sunday first.
var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func weekdayOf(args []*closure) *closure {
	loc, ok := eventTime(args[0], args[1])
	if !ok {
		return nil
	}
	return &closure{text: func(f *frame) string { return weekdays[f.ev.Time.In(loc).Weekday()] }}
}
