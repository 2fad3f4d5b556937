package deliver

import (
	"encoding/json"
	"os"
	"time"
)

// Output is one output of the configuration.
type Output struct {
	Name    string          // unique; the queue's name in the store
	Program []string        // the plugin's program, an absolute path, and its arguments: see Find
	Config  json.RawMessage // for the plugin
	Env     []string        // KEY=value: all the plugin gets of the environment
	Sha256  string          // of the program, in hex; "" for any
	TLS     bool            // encrypt the connection to the plugin
	Dir     string          // where relative paths of Config begin; "" for the working folder
	Stdout  *os.File        // handed to the plugin as the daemon's standard output; nil for most

	// User is whom the plugin runs as: a name or a number, with the user's own
	// group and no other; "" is the daemon's user. Only root can choose.
	User     string
	MaxFiles uint64 // how many files it may have open, 0 means 1,024

	// StateDir is a private folder of this output that survives restarts, ""
	// for a temporary one. RunDir is where sockets go, see RunDir; "" for the
	// system's temporary folder. Both are created when missing.
	StateDir string
	RunDir   string

	// Redact takes secrets out of what the plugin says; nil leaves it as it is.
	Redact func(string) string

	IncludeEvent bool // put the OCSF event into the alert
	IncludeRaw   bool // put the cloud's record into the alert

	MaxBatch int           // alerts, 0 and more than 1,000 mean 1,000
	Linger   time.Duration // how long a batch that is not full waits for more
	Timeout  time.Duration // of one call, 0 means a minute; a plugin that overruns it is restarted
	Drain    time.Duration // from the end of Run's context until the plugin is killed, 0 means 10 s
	Retry    Retry
	Backlog  Backlog
}

// Backlog says what may wait for an output; the store or ingest see to it.
// Here it is what an alarm is measured by: at four fifths of a bound.
type Backlog struct {
	MaxAlerts int64 // 0 is no bound
	MaxBytes  int64
}

// Retry says when an alert that failed is tried again: after Initial, then
// twice as long each time up to Max, give or take a quarter.
type Retry struct {
	Initial time.Duration // 0 means 1 s
	Max     time.Duration // 0 means 5 min
	GiveUp  time.Duration // since the first try: then it goes to the dead letters; 0 means never
}

// maxBatch and maxBytes bound what one call carries, unless the plugin wishes
// less. One alert may be larger.
const (
	maxBatch = 1000
	maxBytes = 1 << 20
)

func (o Output) withDefaults() Output {
	if o.Redact == nil {
		o.Redact = func(text string) string { return text }
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = 1024
	}
	if o.MaxBatch <= 0 || o.MaxBatch > maxBatch {
		o.MaxBatch = maxBatch
	}
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Timeout, time.Minute}, {&o.Drain, 10 * time.Second},
		{&o.Retry.Initial, time.Second}, {&o.Retry.Max, 5 * time.Minute},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return o
}
