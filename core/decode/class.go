package decode

import (
	"strings"

	"github.com/trailship/trailship/core/event"
)

// class is an OCSF class with the captions it brings.
type class struct {
	name, category string
	categoryUID    int
	activities     map[int]string
}

var classes = map[int]class{
	event.ClassAPIActivity: {"API Activity", "Application Activity", 6, map[int]string{
		0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete"}},
	event.ClassAuthentication: {"Authentication", "Identity & Access Management", 3, map[int]string{
		1: "Logon", 2: "Logoff", 4: "Service Ticket Request", 6: "Preauth", 7: "Account Switch"}},
	event.ClassAccountChange: {"Account Change", "Identity & Access Management", 3, map[int]string{
		1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete",
		7: "Attach Policy", 8: "Detach Policy", 10: "MFA Factor Enable", 11: "MFA Factor Disable"}},
	event.ClassDetectionFinding: {"Detection Finding", "Findings", 2, map[int]string{1: "Create", 3: "Close"}},
}

// other is the activity OCSF has no number for; it is called by the operation.
const other = 99

// setClass puts ev into an OCSF class.
func setClass(ev *event.Event, uid, activity int) {
	c := classes[uid]
	ev.ClassUID, ev.ClassName = uid, c.name
	ev.CategoryUID, ev.CategoryName = c.categoryUID, c.category
	ev.ActivityID, ev.ActivityName = activity, c.activities[activity]
	if activity == other {
		ev.ActivityName = or(ev.API.Operation, "Other")
	}
	ev.TypeUID = uid*100 + activity
	ev.TypeName = typeName(ev.Text, c.name, ev.ActivityName)
}

// typeName joins class and activity without making the same string again for
// each record.
func typeName(t *event.Text, class, activity string) string {
	var buf [96]byte
	b := append(buf[:0], class...)
	b = append(b, ": "...)
	return t.Intern(append(b, activity...))
}

// verbs gives the API activity of an operation by its first word.
var verbs = verbTable(map[int]string{
	1: "Create Run Generate Allocate Request Upload Import Copy Clone Restore Open Issue Apply Invite Submit",
	2: "Get List Describe Search Lookup Head Query Scan Select Check Verify Preview Test Validate Download View Read " +
		"Export Decrypt Encrypt Sign Simulate Estimate Filter Count",
	3: "Update Put Modify Add Remove Start Stop Attach Detach Associate Disassociate Tag Untag Enable Disable Register " +
		"Deregister Set Reset Change Authorize Revoke Schedule Cancel Rotate Grant Bind Unbind Join Leave Move Replace " +
		"Resume Suspend Activate Deactivate Active Deactive Lock Unlock Configure Switch Reboot Accept Reject Publish " +
		"Replicate Synchronize Merge Transfer",
	4: "Delete Terminate Destroy Purge Release Drop",
})

func verbTable(words map[int]string) map[string]int {
	table := map[string]int{}
	for activity, list := range words {
		for _, word := range strings.Fields(list) {
			table[word] = activity
		}
	}
	return table
}

// apiActivity is the activity of an API call: what the source says about
// reading wins, then the operation's first word speaks.
func apiActivity(operation, access string) int {
	switch {
	case operation == "PutBucket": // OSS's CreateBucket
		return 1
	case access == "read":
		return 2
	}
	activity := verbs[firstWord(operation)]
	if activity == 0 || activity == 2 && access == "write" {
		return other
	}
	return activity
}

// firstWord is the CamelCase word operation starts with, "" if it starts
// otherwise.
func firstWord(operation string) string {
	if operation == "" || operation[0] < 'A' || operation[0] > 'Z' {
		return ""
	}
	n := 1
	for n < len(operation) && 'a' <= operation[n] && operation[n] <= 'z' {
		n++
	}
	if n == 1 {
		return ""
	}
	return operation[:n]
}

// setOutcome sets the outcome. An empty code with ok false is a failure that
// came without one.
func setOutcome(ev *event.Event, ok bool) {
	switch {
	case ok:
		ev.Outcome = "success"
	case isDenied(ev.Error.Code):
		ev.Outcome = "denied"
	default:
		ev.Outcome = "failure"
	}
}

// setStatus says the outcome in OCSF's words.
func setStatus(ev *event.Event) {
	ev.StatusCode, ev.StatusDetail = ev.Error.Code, ev.Error.Message
	ev.API.Response.Error, ev.API.Response.ErrorMessage = ev.Error.Code, ev.Error.Message
	if ev.StatusID, ev.Status = 2, "Failure"; ev.Outcome == "success" {
		ev.StatusID, ev.Status = 1, "Success"
	}
}

// The words that error codes for a refused caller contain, and those they
// start with.
var (
	deniedWords    = []string{"AccessDenied", "Unauthorized", "NotAuthorized", "AccessForbidden", "AuthorizationError"}
	deniedPrefixes = []string{"Forbidden", "NoPermission", "InvalidAccessKeyId", "InvalidSecurityToken", "InvalidAuthorization", "SignatureDoesNotMatch"}
)

// isDenied reports whether an error code says that the caller may not, as
// opposed to that the call failed.
func isDenied(code string) bool {
	if code == "" {
		return false
	}
	for _, word := range deniedWords {
		if strings.Contains(code, word) {
			return true
		}
	}
	for _, prefix := range deniedPrefixes {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}
