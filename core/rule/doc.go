package rule

import (
	"time"

	"github.com/trailship/trailship/core/diag"
)

// document is one rule file.
type document struct {
	Version   diag.Node                 `yaml:"version" doc:"Version of the rule language: 1"`
	Defaults  ruleDoc                   `yaml:"defaults" doc:"A partial rule for the rules of this file: lists are joined, other values replaced by the rule's own"`
	Lists     diag.Ordered[diag.Node]   `yaml:"lists" doc:"name → list of strings, or {file: path}; used as lists.NAME"`
	Macros    diag.Ordered[diag.String] `yaml:"macros" doc:"name → expression, written out wherever the name stands"`
	Rules     []ruleDoc                 `yaml:"rules" doc:"The rules"`
	Overrides []overrideDoc             `yaml:"overrides" doc:"Changes to rules and lists of other files and packs"`
}

// newestVersion is the version of the rule language this program reads.
const newestVersion = "1"

// ruleDoc is a rule as it is written, or a part of one.
type ruleDoc struct {
	ID             diag.String               `yaml:"id" doc:"Lower-case words joined by -, at most 80 characters, unique everywhere"`
	Title          diag.String               `yaml:"title" doc:"What happened, at most 120 characters"`
	Severity       diag.String               `yaml:"severity" enum:"info,low,medium,high,critical" doc:"How bad it is"`
	Status         diag.String               `yaml:"status" enum:"experimental,test,stable,deprecated" doc:"Default stable"`
	Description    diag.String               `yaml:"description" doc:"Copied into the alert"`
	Owner          diag.String               `yaml:"owner" doc:"Who answers for the rule"`
	Tags           []diag.String             `yaml:"tags" doc:"Free words"`
	References     []diag.String             `yaml:"references" doc:"Addresses to read"`
	FalsePositives []diag.String             `yaml:"false_positives" doc:"When it fires without need"`
	Runbook        diag.String               `yaml:"runbook" doc:"What to do"`
	Meta           diag.Ordered[diag.Node]   `yaml:"meta" doc:"Anything, copied into the alert"`
	Mitre          []diag.String             `yaml:"mitre" doc:"ATT&CK v19 ids: TA0006, T1485, T1685.002"`
	Enabled        *bool                     `yaml:"enabled" doc:"false: checked but not run"`
	Shadow         *bool                     `yaml:"shadow" doc:"true: runs and counts, reaches no output"`
	Sources        []diag.String             `yaml:"sources" doc:"aws.cloudtrail, alibaba.actiontrail, or globs; default all"`
	Let            diag.Ordered[diag.String] `yaml:"let" doc:"name → expression, for the other expressions of this rule"`
	Condition      diag.String               `yaml:"condition" doc:"The expression that must be true"`
	Exceptions     []exceptionDoc            `yaml:"exceptions" doc:"An event that meets any one is dropped"`
	Threshold      *thresholdDoc             `yaml:"threshold" doc:"At least count events within a time"`
	FirstSeen      *firstSeenDoc             `yaml:"first_seen" doc:"A value that was not seen before"`
	Sequence       *sequenceDoc              `yaml:"sequence" doc:"Steps in order"`
	Dedup          *dedupDoc                 `yaml:"dedup" doc:"At most one alert for each key and span of time"`
	Message        diag.String               `yaml:"message" doc:"Text with ${ expression }"`
	Fields         diag.Ordered[diag.String] `yaml:"fields" doc:"name → expression, shown first by outputs"`
	Outputs        []diag.String             `yaml:"outputs" doc:"Names of outputs, instead of the routes"`
	Tests          []testDoc                 `yaml:"tests" doc:"Records and what the rule must say to them"`
}

type exceptionDoc struct {
	Name      diag.String             `yaml:"name" required:"true" doc:"A short name, shown by explain"`
	Reason    diag.String             `yaml:"reason" required:"true" doc:"Why, and who decided it"`
	Until     diag.String             `yaml:"until" doc:"A date: compared with the event's time"`
	Match     diag.Ordered[diag.Node] `yaml:"match" doc:"field → value, [values] or glob; all must hold"`
	Condition diag.String             `yaml:"condition" doc:"An expression, instead of match"`
}

type dedupDoc struct {
	By    []diag.String `yaml:"by" required:"true" doc:"Expressions that make the key"`
	Every time.Duration `yaml:"every" required:"true" doc:"Span of event time, aligned"`
}

type thresholdDoc struct {
	Count    int           `yaml:"count" required:"true" doc:"At least so many"`
	Within   time.Duration `yaml:"within" required:"true" doc:"Span of event time"`
	GroupBy  []diag.String `yaml:"group_by" doc:"Expressions that make the group"`
	Distinct diag.String   `yaml:"distinct" doc:"Count the values of this expression, not the events"`
}

type firstSeenDoc struct {
	Value    diag.String   `yaml:"value" required:"true" doc:"The expression that is new"`
	Per      diag.Node     `yaml:"per" doc:"Expressions: new for whom"`
	Remember time.Duration `yaml:"remember" doc:"How long a value is known"`
	Warmup   time.Duration `yaml:"warmup" doc:"Only learn for so long"`
	Settle   time.Duration `yaml:"settle" doc:"Wait for late events for so long"`
}

type sequenceDoc struct {
	By     diag.Node     `yaml:"by" doc:"Expressions that tie the steps together"`
	Within time.Duration `yaml:"within" required:"true" doc:"Span of event time"`
	Steps  []stepDoc     `yaml:"steps" required:"true" doc:"In order"`
}

type stepDoc struct {
	Name      diag.String `yaml:"name" required:"true"`
	Condition diag.String `yaml:"condition" required:"true"`
	Count     int         `yaml:"count" doc:"Default 1"`
}

type overrideDoc struct {
	Rule   diag.String `yaml:"rule" doc:"id, pack/id or a glob"`
	List   diag.String `yaml:"list" doc:"Name, or pack/name, of a list"`
	Set    ruleDoc     `yaml:"set" doc:"Keys that replace the rule's; null takes one away"`
	Append diag.Node   `yaml:"append" doc:"What is added to lists and mappings of the rule, or to the list"`
	And    diag.String `yaml:"and" doc:"An expression that must hold too"`
}

type testDoc struct {
	Name   diag.String             `yaml:"name" required:"true" doc:"What is tested"`
	Event  diag.Node               `yaml:"event" doc:"A raw record"`
	File   diag.String             `yaml:"file" doc:"A file with a raw record, beside the rule file"`
	Events diag.Node               `yaml:"events" doc:"Several raw records"`
	Set    diag.Ordered[diag.Node] `yaml:"set" doc:"dotted path → value put into the record; null deletes"`
	Repeat int                     `yaml:"repeat" doc:"So many copies"`
	Every  time.Duration           `yaml:"every" doc:"Event time between copies"`
	Expect diag.Node               `yaml:"expect" doc:"alert, none, or {alerts, message, fields, severity}"`
}

type packDoc struct {
	Name        diag.String   `yaml:"name" required:"true"`
	Version     diag.String   `yaml:"version" required:"true"`
	Description diag.String   `yaml:"description"`
	Requires    []diag.String `yaml:"requires"`
}

// Schema is the JSON Schema of a rule file, for editors.
func Schema() []byte {
	return diag.Schema(&document{}, "https://github.com/trailship/trailship/rules.v1.json", "trailship rules")
}
