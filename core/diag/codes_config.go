package diag

// configCodes are the mistakes of trailship.yaml: E100–E199 and W100–W199. The
// examples are whole files.
var configCodes = []Code{
	{
		ID: "E100", Title: "the configuration cannot be read",
		Why:   "The file is not there, may not be read, or is larger than 1 MiB. It is looked for where --config or TRAILSHIP_CONFIG says, then as ./trailship.yaml, then as /etc/trailship/trailship.yaml.",
		Wrong: "trailship run --config nowhere.yaml",
		Right: "trailship run --config /etc/trailship/trailship.yaml",
	},
	{
		ID: "E101", Title: "the daemon needs more",
		Why:   "The file is right as far as it goes, but a daemon also needs a folder for its state (data_dir), something to read (sources) and something to look for (rules.paths). Verbs that only look at rules or files do without.",
		Wrong: "version: 1",
		Right: "data_dir: /var/lib/trailship\nsources:\n  - {name: local, type: dir, path: /var/log/trails}\nrules: {paths: [\"pack:kms\"]}",
	},
	{
		ID: "E102", Title: "unknown version",
		Why:   "The file was written for a newer program. Later versions may mean other things by the same keys, so nothing is guessed.",
		Wrong: "version: 7",
		Right: "version: 1",
	},
	{
		ID: "E103", Title: "a name that cannot be used",
		Why:   "Names become labels of metrics, names of folders and words on the command line. They are made of letters, digits, dots, dashes and underscores, and begin with a letter or digit; no slashes, no spaces.",
		Wrong: "outputs:\n  - {name: pager/night, plugin: webhook}",
		Right: "outputs:\n  - {name: pager-night, plugin: webhook}",
	},
	{
		ID: "E104", Title: "a name used twice",
		Why:   "Sources are remembered, and outputs are found, by their name. Two of one kind cannot share one.",
		Wrong: "outputs:\n  - {name: pager, plugin: webhook}\n  - {name: pager, plugin: stdout}",
		Right: "outputs:\n  - {name: pager, plugin: webhook}\n  - {name: screen, plugin: stdout}",
	},
	{
		ID: "E105", Title: "a key of another kind of source",
		Why:   "Some keys belong to one type of source alone: path and on_done to dir; bucket, prefix, region, endpoint, sqs, assume_role and credentials to s3. Elsewhere they would do nothing.",
		Wrong: "sources:\n  - {name: local, type: dir, path: /var/log/trails, bucket: acme}",
		Right: "sources:\n  - {name: local, type: dir, path: /var/log/trails}",
	},
	{
		ID: "E106", Title: "not a glob",
		Why:   "include and exclude are globs over paths below the source: ** is any depth, * any text without a slash, ? one character, [a-z] one of several, {a,b} either. A bracket or brace is not closed, or nothing is included at all.",
		Wrong: "sources:\n  - {name: local, type: dir, path: /var/log/trails, include: [\"**/*.{json\"]}",
		Right: "sources:\n  - {name: local, type: dir, path: /var/log/trails, include: [\"**/*.{json,gz}\"]}",
	},
	{
		ID: "E107", Title: "not a checksum",
		Why:   "sha256 pins the program of an output. It is the 64 hexadecimal digits that sha256sum prints, without the file's name.",
		Wrong: "outputs:\n  - {name: siem, plugin: my-siem, sha256: 3b5d}",
		Right: "outputs:\n  - {name: siem, plugin: my-siem, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}",
	},
	{
		ID: "E108", Title: "not an address telemetry may listen on",
		Why:   "telemetry.http is an address and a port on loopback. Metrics and status name accounts, rules and objects; beyond loopback whoever asks would have to prove who they are, which is not supported yet: put a proxy in front.",
		Wrong: "telemetry: {http: \"0.0.0.0:9810\"}",
		Right: "telemetry: {http: \"127.0.0.1:9810\"}",
	},
	{
		ID: "E109", Title: "nothing to expand",
		Why:   "${env:NAME} stands for an environment variable of the daemon and ${file:/path} for the text of a file without its last line break. The variable is not set, the file cannot be read, or the } is missing. There is no default: a service without its password should not start.",
		Wrong: "outputs:\n  - {name: siem, plugin: my-siem, env: {TOKEN: \"${env:NOT_SET}\"}}",
		Right: "outputs:\n  - {name: siem, plugin: my-siem, env: {TOKEN: \"${env:SIEM_TOKEN}\"}}",
	},
	{
		ID: "E110", Title: "a value out of its range or form",
		Why:   "The value has the right type and still cannot be meant: a batch of no alerts, a longest wait shorter than the first, a start that is none of the forms. The message says what it must be.",
		Wrong: "sources:\n  - {name: local, type: dir, path: /var/log/trails, start: yesterday}",
		Right: "sources:\n  - {name: local, type: dir, path: /var/log/trails, start: {since: 24h}}",
	},
	{
		ID: "E114", Title: "rules that are not there",
		Why:   "A path of rules.paths or --rules is neither a folder nor a file, or pack:NAME is no pack that is shipped with the program.",
		Wrong: "rules: {paths: [\"pack:kmz\"]}",
		Right: "rules: {paths: [\"pack:kms\"]}",
	},
	{
		ID: "E111", Title: "unknown output",
		Why:   "A route sends alerts to outputs by their names, and none of the file's outputs has this one.",
		Wrong: "outputs:\n  - {name: pager, plugin: webhook}\nroutes:\n  - {to: [pagr]}",
		Right: "outputs:\n  - {name: pager, plugin: webhook}\nroutes:\n  - {to: [pager]}",
	},
	{
		ID: "E150", Title: "the program of an output",
		Why:   "An output runs as a process of its own: a shipped one (trailship plugins list shows them), or trailship-output-NAME from plugin_dirs, then $PATH. The program is not there.",
		Wrong: "outputs:\n  - {name: pager, plugin: webhok}",
		Right: "outputs:\n  - {name: pager, plugin: webhook}",
	},
	{
		ID: "E153", Title: "an output does not run",
		Why:   "The program of the output is there, but may be written by others, has another checksum than sha256 says, or did not start. A daemon goes on without it, keeps its alerts, and tries again and again.",
		Wrong: "outputs:\n  - {name: siem, plugin: my-siem, sha256: 0000000000000000000000000000000000000000000000000000000000000000}",
		Right: "outputs:\n  - {name: siem, plugin: my-siem}",
	},
	{
		ID: "E152", Title: "not supported yet",
		Why:   "The key or value is part of the format and is checked, but this version of the program cannot do it yet.",
		Wrong: "data_dir: /var/lib/trailship\nstore: postgres://trailship@db/trailship",
		Right: "data_dir: /var/lib/trailship",
	},
	{
		ID: "E151", Title: "an output refused its settings",
		Why:   "The program of the output was started and asked to take its `config`. What it says is shown at the line it is about.",
		Wrong: "outputs:\n  - {name: pager, plugin: webhook, config: {url: not-a-url}}",
		Right: "outputs:\n  - {name: pager, plugin: webhook, config: {url: \"https://events.example.com/v2\"}}",
	},
	{
		ID: "W100", Title: "a secret in the file",
		Why:   "Configuration is copied, committed and mailed. Write ${env:NAME} or ${file:/path} where a password, token or key is needed; what they stand for is shown nowhere.",
		Wrong: "outputs:\n  - {name: siem, plugin: my-siem, env: {SIEM_TOKEN: hunter2}}",
		Right: "outputs:\n  - {name: siem, plugin: my-siem, env: {SIEM_TOKEN: \"${env:SIEM_TOKEN}\"}}",
	},
	{
		ID: "W101", Title: "looks like a variable and is none",
		Why:   "Only ${env:NAME} and ${file:/path} are expanded; ${NAME} stays as it is. Write $${NAME} to say that this is meant.",
		Wrong: "data_dir: ${HOME}/trailship",
		Right: "data_dir: ${env:HOME}/trailship",
	},
	{
		ID: "W103", Title: "there are no rules",
		Why:   "The folders and files that rules.paths names hold no rule, so no alert can ever come.",
		Wrong: "rules: {paths: [empty]}",
		Right: "rules: {paths: [\"pack:kms\"]}",
	},
	{
		ID: "W104", Title: "the source's folder is not there",
		Why:   "A folder that appears later is read then, so this is no mistake by itself. But a misspelt path looks the same.",
		Wrong: "sources:\n  - {name: local, type: dir, path: /var/log/trials}",
		Right: "sources:\n  - {name: local, type: dir, path: /var/log/trails}",
	},
	{
		ID: "W105", Title: "a span longer than retention",
		Why:   "Ids of alerts and events that rules remember are kept for `retention`. A threshold or a sequence whose `within` is longer never sees all of it, and a `dedup` whose `every` is longer may alert again within its span.",
		Wrong: "retention: 35d     # and a rule says dedup: {by: [principal.id], every: 60d}",
		Right: "retention: 65d",
	},
	{
		ID: "W102", Title: "a route that is never reached",
		Why:   "The first route that matches is the last, unless it says `continue: true`. A route without `when` matches everything, so those below it never see an alert.",
		Wrong: "outputs:\n  - {name: pager, plugin: webhook}\n  - {name: archive, plugin: file}\nroutes:\n  - {to: [archive]}\n  - {to: [pager], when: severity == \"high\"}",
		Right: "outputs:\n  - {name: pager, plugin: webhook}\n  - {name: archive, plugin: file}\nroutes:\n  - {to: [pager], when: severity == \"high\"}\n  - {to: [archive]}",
	},
}
