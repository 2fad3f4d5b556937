// Rules that remember: threshold, sequence and first_seen.
//
// A [Matcher] computes, without any state, what one event contributes to a rule
// (contribution.go): the group, the event's time and id, and the value or the
// steps it stands for. A [Judge] applies contributions to a [State] inside the
// transaction that also holds the position of the source and the alerts
// (judge.go), so each record counts once whatever dies when. Nothing here reads
// a clock to judge an event; time is event time in whole milliseconds, and
// order is (time, event id).
//
// # Why order does not matter
//
// A rule is a predicate over the set of contributions, and its alerts are the
// buckets of time for which the predicate holds. The state is a summary of that
// set that forgets only what cannot change any bucket any more:
//
// Buckets are as long as `within`, so the window (t−within, t] of an event of
// bucket b touches b and b−1 only. More contributions can only make more
// buckets true: an alert that was raised was right whatever comes later, and
// one that is still due is raised by whichever contribution completes it. A
// contribution to bucket b is therefore followed by looking at b and b+1.
//
// Threshold (window.go). Of a bucket the newest `count` are kept. With that many
// in it, its last event sees all of them: the bucket fires, exactly. With fewer,
// nothing was forgotten. For the bucket behind it only the end of this one
// counts, and the newest `count` of it are enough to reach `count`.
//
// Distinct (window.go). Of each value the oldest and the newest contribution
// are kept while there are fewer than `count` values: a prefix of the bucket
// holds a value when its oldest is in it, a suffix when its newest is. With
// `count` values the bucket fires, and as a predecessor the `count` values with
// the newest contributions are enough.
//
// Sequence (sequence.go). For two steps of one event each, the two oldest and
// the two newest of each step are kept: inside a bucket the oldest first step
// and the newest second step decide, across two buckets the newest first step
// and the oldest second (two, because one event may be both and serve as one of
// them only). For more steps or higher counts no bounded summary is exact: any
// event in the middle may become the one that matters. All are kept up to a
// bound for each group and bucket; beyond it some in the middle go, counted.
//
// First seen (firstseen.go) is not monotone: a value stops being new when an
// earlier one turns up. A contribution that no earlier one covers waits until
// the rule's watermark, the newest event time it saw, has passed its time by
// more than `settle`. While records are out of order by `settle` at most,
// everything before it is known by then, and the answer is that of the sorted
// run. Within the waiting span, shorter than `remember`, only the earliest of a
// value can be new, so one candidate and two times are all that is kept of it.
package rule

// State is where rules remember: text keys in order under a rule's id. It
// belongs to one transaction and one goroutine.
type State interface {
	// Get returns the value under key, nil when there is none. It is good
	// until the next call.
	Get(rule, key string) ([]byte, error)
	// Put stores a value; nil takes the key away. It keeps no hold of value.
	Put(rule, key string, value []byte) error
	// Keys returns up to max keys of a rule from the given one on, in order.
	Keys(rule, from string, max int) ([]string, error)
	// Remembered returns the ids under which anything is stored, in order.
	Remembered() ([]string, error)
	// Forget drops everything under a rule's id.
	Forget(rule string) error
}

// The keys of a rule begin with what they hold.
const (
	metaKey    = "m" // what is known of the rule as a whole
	groupKey   = "g" // + group: a group
	orderKey   = "o" // + time + group: the groups by age
	windowKey  = "w" // + group + bucket: what a group did in a bucket
	valueKey   = "v" // + group + value: a value of first_seen
	pendingKey = "p" // + time + group + value: a candidate that waits
)

// Bounds of what is kept, unless a Judge says otherwise.
const (
	defaultGroups = 100_000
	// valuesPerGroup times the groups is how many values first_seen remembers.
	valuesPerGroup = 10
	// maxCount is the largest threshold, maxSequence the largest sum of the
	// counts of a sequence.
	maxCount    = 10_000
	maxSequence = 1_000
	maxSteps    = 16
	// keptSequence is how many events of a group and bucket a sequence keeps,
	// or as many as its counts ask for twice.
	keptSequence = 1_000
	// maxRelated is how many contributing events an alert names.
	maxRelated = 50
	// maxID is the longest event id that is kept as it is.
	maxID = 128
	// maxLabel bounds the text of a group or value that is kept for people.
	maxLabel = 256
)
