package diag

// yamlCodes are the mistakes any YAML file can have: E001–E099. The examples
// below E010 are whole documents.
var yamlCodes = []Code{
	{
		ID: "E001", Title: "not YAML",
		Why:   "The text cannot be read as YAML at all: a quote or bracket that is not closed, a tab in the indentation, a colon without a space after it. Nothing else of the file is looked at until this is mended.",
		Wrong: "tags: [prod, kms\ntitle: Key deleted",
		Right: "tags: [prod, kms]\ntitle: Key deleted",
	},
	{
		ID: "E002", Title: "key given twice",
		Why:   "A mapping holds each key once. Of two values only one could count, and readers would not agree on which.",
		Wrong: "severity: low\ntitle: Key deleted\nseverity: high",
		Right: "severity: high\ntitle: Key deleted",
	},
	{
		ID: "E003", Title: "merge key",
		Why:   "`<<` is no part of YAML 1.2, and what it overrides is easily misread. An alias stands for a whole value; rules have `defaults`, and tests have `set` for variants of an event.",
		Wrong: "base: &base {a: 1}\nvariant:\n  <<: *base\n  b: 2",
		Right: "base: &base {a: 1}\nvariant: {a: 1, b: 2}\nsame: *base",
	},
	{
		ID: "E004", Title: "aliases without bound",
		Why:   "An alias that contains itself has no end, and aliases of aliases of aliases fill any memory. Files are refused when their aliases, written out, add more than about 4 MiB.",
		Wrong: "loop: &loop [*loop]",
		Right: "one: &one [1]\ntwo: [*one, *one]",
	},
	{
		ID: "E005", Title: "several documents in a file",
		Why:   "A file is one YAML document. A second one after `---` would be read by some programs and overlooked by others.",
		Wrong: "title: one\n---\ntitle: two",
		Right: "title: one",
	},
	{
		ID: "E006", Title: "unknown YAML tag",
		Why:   "A plain value that begins with `!` is a tag to YAML, and the rest of its word is lost. It is almost always an expression that begins with a negation: quote it, put it on a line of its own below `|`, or write `not`.",
		Wrong: "condition: !(outcome == \"denied\")",
		Right: "condition: not (outcome == \"denied\")",
	},
	{
		ID: "E007", Title: "a key that is no text",
		Why:   "Keys are words. A list or a mapping as a key, or a colon with nothing before it, is a slip.",
		Wrong: "? [a, b]\n: value",
		Right: "a: value\nb: value",
	},
	{
		ID: "E010", Title: "unknown key",
		Why:   "Unknown keys are errors, for a mistyped key that is passed over in silence changes what the file means. The message names the known key that is most like it.",
		Wrong: "treshold: 5",
		Right: "threshold: 5",
	},
	{
		ID: "E011", Title: "missing key",
		Why:   "The key is required and was left out or left empty.",
		Wrong: "title:",
		Right: "title: Key deleted",
	},
	{
		ID: "E012", Title: "wrong type",
		Why:   "The value is text where a number is needed, a single value where a list is, and so on. Numbers, true and false stand without quotes; a list of one element is still a list.",
		Wrong: "tags: prod",
		Right: "tags: [prod]",
	},
	{
		ID: "E013", Title: "not one of the allowed words",
		Why:   "The value is one of a few words, in lower case, and the message lists them.",
		Wrong: "severity: hgih",
		Right: "severity: high",
	},
	{
		ID: "E014", Title: "not a duration",
		Why:   "A duration is a whole number and a unit: ms, s, m, h, d (24 hours), w (7 days), y (365 days), and may be several, largest first: 1h30m. It is never negative.",
		Wrong: "within: 10 minutes",
		Right: "within: 10m",
	},
	{
		ID: "E015", Title: "not a size",
		Why:   "A size is a number of bytes, with a unit if you like: kB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024.",
		Wrong: "max_object: huge",
		Right: "max_object: 2GiB",
	},
	{
		ID: "E016", Title: "a value set from outside has no place",
		Why:   "`--set path=value` names the value by keys and places in lists, joined by dots: `sources[0].path` or `sources.0.path`. What is missing on the way is created, but a list grows only by its next element, and text has nothing inside.",
		Wrong: "trailship run --set sources[7].path=/var/log/trails",
		Right: "trailship run --set sources[0].path=/var/log/trails",
	},
}
