package s3

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/trailship/trailship/plugins/sdk"
)

// part is the alerts of a batch that belong under one prefix, in the order of
// their time.
type part struct {
	prefix string
	alerts []sdk.Alert
}

// split sorts a batch into parts. Alerts it can make nothing of are named.
func (b *bucket) split(alerts []sdk.Alert) ([]part, sdk.Failed) {
	failed := sdk.Failed{}
	byPrefix := map[string][]sdk.Alert{}
	for _, a := range alerts {
		prefix, err := b.prefix.of(a)
		if err != nil {
			failed[a.ID] = sdk.Permanent(err)
			continue
		}
		byPrefix[prefix] = append(byPrefix[prefix], a)
	}
	var parts []part
	for prefix, alerts := range byPrefix {
		slices.SortFunc(alerts, func(a, b sdk.Alert) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
		})
		parts = append(parts, part{prefix, alerts})
	}
	return parts, failed
}

// key is the name of a part's object. It says which alerts are inside, so that
// the same part written again takes the place of the first.
func (p part) key(f format) string {
	var ids strings.Builder
	for _, a := range p.alerts {
		ids.WriteString(a.ID)
		ids.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(ids.String()))
	name := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
	return p.prefix + p.alerts[0].Time.UTC().Format("20060102T150405Z") + "-" + name + f.suffix
}

// prefix is what keys begin with, in which names in braces stand for what the
// alert says.
type prefix struct {
	text  string
	cloud bool // account or region are asked for
}

// maxPrefix leaves room in a key for the name behind it, once every value is
// as long as it may be.
const (
	maxPrefix = 512
	maxValue  = 64
)

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	// literal is what S3 calls safe in a key, and what Hive writes.
	literal = regexp.MustCompile(`^[a-zA-Z0-9/!_.*'()=-]*$`)
	unsafe  = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)
	names   = []string{"{day}", "{hour}", "{account}", "{region}", "{severity}", "{rule}"}
)

func parsePrefix(text string) (prefix, error) {
	if !strings.HasSuffix(text, "/") {
		text += "/"
	}
	count := 0
	for _, p := range placeholder.FindAllString(text, -1) {
		if !slices.Contains(names, p) {
			return prefix{}, sdk.Invalidf("/prefix", "%s is not known: there are %s", p, strings.Join(names, ", "))
		}
		count++
	}
	rest := placeholder.ReplaceAllString(text, "")
	switch {
	case !literal.MatchString(rest):
		return prefix{}, sdk.Invalidf("/prefix", "may hold letters, digits, '/' and any of !_.*'()=- beside the names in braces")
	case strings.HasPrefix(text, "/"), strings.Contains(text, "//"), strings.Contains("/"+text, "/./"), strings.Contains("/"+text, "/../"):
		return prefix{}, sdk.Invalidf("/prefix", "must not begin with '/', nor hold an empty folder, '.' or '..'")
	case len(rest)+count*maxValue > maxPrefix:
		return prefix{}, sdk.Invalidf("/prefix", "is too long: a key has 1024 bytes")
	}
	return prefix{text, strings.Contains(text, "{account}") || strings.Contains(text, "{region}")}, nil
}

// fixed is what every key begins with.
func (p prefix) fixed() string {
	text, _, _ := strings.Cut(p.text, "{")
	return text
}

// of is the prefix of an alert. Whatever the alert says, it has as many folders
// as the configuration.
func (p prefix) of(a sdk.Alert) (string, error) {
	var said struct {
		Cloud struct {
			Provider, Region string
			Account          struct{ UID string }
		}
	}
	if p.cloud {
		if err := json.Unmarshal(a.JSON, &said); err != nil {
			return "", errors.Join(errNoFinding, err)
		}
	}
	account := confined(said.Cloud.Account.UID)
	if said.Cloud.Provider != "AWS" && said.Cloud.Account.UID != "" {
		// Security Lake's own way to keep the clouds' numbers apart.
		account = confined("external_" + said.Cloud.Account.UID)
	}
	at := a.Time.UTC()
	return strings.NewReplacer(
		"{day}", at.Format("20060102"), "{hour}", at.Format("15"),
		"{account}", account, "{region}", confined(said.Cloud.Region),
		"{severity}", confined(a.Severity), "{rule}", confined(a.RuleID),
	).Replace(p.text), nil
}

var errNoFinding = errors.New("the alert is not a Detection Finding")

// confined is a value that stays inside its folder's name.
func confined(value string) string {
	value = unsafe.ReplaceAllString(value[:min(len(value), maxValue)], "_")
	if value == "" {
		return "unknown"
	}
	if strings.Trim(value, ".") == "" {
		return "_"
	}
	return value
}
