package diag

import (
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// jsonNumber is the grammar of a number in JSON.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// accountID is what an account number looks like: twelve digits on AWS, sixteen
// on Alibaba Cloud.
var accountID = regexp.MustCompile(`^([0-9]{12}|[0-9]{16})$`)

// JSON is n as a trail record would hold it: map[string]any, []any, string,
// bool, int64, float64 or nil. Only what JSON would read as a bool, null or a
// number becomes one, and only without quotes; dates stay text, and so does an
// account number, which is a whole number of twelve or sixteen digits (write
// `!!int` before one that is none). A whole number beyond int64 is text.
func (n Node) JSON() (any, error) { return n.data(true) }

// Data is JSON for settings: every plain number is a number. A scalar that was
// replaced stays text unless a tag (`!!int`) says otherwise.
func (n Node) Data() (any, error) { return n.data(false) }

func (n Node) data(record bool) (any, error) {
	switch n.Kind() {
	case Mapping:
		m := make(map[string]any, n.Len())
		for k, v := range n.Pairs() {
			x, err := v.data(record)
			if err != nil {
				return nil, err
			}
			m[k.Value()] = x
		}
		return m, nil
	case Sequence:
		l := make([]any, 0, n.Len())
		for item := range n.Items() {
			x, err := item.data(record)
			if err != nil {
				return nil, err
			}
			l = append(l, x)
		}
		return l, nil
	case Scalar:
		return n.scalar(record)
	}
	return nil, nil
}

// scalar is the value of one scalar.
func (n Node) scalar(record bool) (any, error) {
	v := n.Value()
	if n.y.Style&yaml.TaggedStyle != 0 {
		return n.tagged(v)
	}
	if !n.Plain() || n.Replaced() || record && accountID.MatchString(v) {
		return v, nil
	}
	switch v {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return number(v), nil
}

// tagged is the value of a scalar with a tag such as !!int.
func (n Node) tagged(v string) (any, error) {
	switch n.y.Tag {
	case "!!int", "!!float":
		if x := number(v); x != any(v) {
			return x, nil
		}
		return nil, List{n.Errorf("E012", "%s must be a number, got %s", n.label(), n.Got())}
	case "!!bool":
		if v == "true" || v == "false" {
			return v == "true", nil
		}
		return nil, List{n.Errorf("E012", "%s must be true or false, got %s", n.label(), n.Got())}
	}
	return v, nil
}

// number is v as int64 or float64, or v itself when JSON has no such number or
// int64 no room for it.
func number(v string) any {
	m := jsonNumber.FindStringSubmatch(v)
	if m == nil {
		return v
	}
	if m[2] == "" && m[3] == "" {
		if i, err := strconv.ParseInt(v, 10, 64); err == nil {
			return i
		}
		return v
	}
	if x, err := strconv.ParseFloat(v, 64); err == nil {
		return x
	}
	return v
}

func parseNumber(v string) (float64, bool) {
	if !jsonNumber.MatchString(v) {
		return 0, false
	}
	x, err := strconv.ParseFloat(v, 64)
	return x, err == nil
}
