#!/bin/sh
# The main job in one go, on the bundled sample trails of both clouds: alerts
# out of a plugin process, a rule file broken while the daemon runs, mended,
# and the new alert. Needs no account and no network, and cleans up.
set -eu
cd "$(dirname "$0")/.."
trailship=$PWD/bin/trailship
[ -x "$trailship" ] || { echo "bin/trailship is missing: run make build first" >&2; exit 1; }

work=$(mktemp -d)
daemon=
cleanup() {
	[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n\n' "$*"; }

# wait_for TEXT WHAT: until the daemon's output has a line with TEXT.
wait_for() {
	tries=0
	until grep -qF -- "$1" "$work/seen"; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ] || ! kill -0 "$daemon" 2>/dev/null; then
			echo "the demo waited in vain for $2" >&2
			exit 1
		fi
		sleep 0.1
	done
}

mkdir -p "$work/trails" "$work/rules"
cp -R examples/trails/sample/. "$work/trails/"
cp examples/quickstart/rules/*.yaml "$work/rules/"

cat >"$work/rules/signin.yaml" <<'YAML'
rules:
  - id: console-signin-failed
    title: A sign-in to the console failed
    severity: low
    condition: kind == "console_login" and outcome == "failure"
    message: ${principal.name} failed to sign in to ${account} from ${ip}
YAML

cat >"$work/trailship.yaml" <<'YAML'
version: 1
data_dir: data
sources:
  - {name: trails, type: dir, path: trails, poll: 1s}
rules:
  paths: [rules, "pack:kms"]
outputs:
  - {name: terminal, plugin: stdout, config: {format: text}}
routes:
  - {when: 'severity in ["medium", "high", "critical"] or rule.id contains "signin" or rule.id contains "reload"', to: [terminal]}
YAML

say "1. trailship reads the sample trails of both clouds. Every line with a severity is an alert, printed by the stdout plugin, a process of its own."
: >"$work/seen"
mkfifo "$work/pipe"
# What the daemon says is shown as it comes, and kept to wait for.
tee -a "$work/seen" <"$work/pipe" | while IFS= read -r line; do printf '  | %s\n' "$line"; done &
screen=$!
"$trailship" run -c "$work/trailship.yaml" >"$work/pipe" 2>&1 &
daemon=$!
wait_for kms-events-excluded-from-trail "the alert about the trail that no longer records KMS"
wait_for kms-key-material-deleted "the alert about deleted key material"
wait_for night-change-to-keys "the alert of the rule about the night"
sleep 1

say "2. A rule file is edited while it runs, with a typo: the mistake is named with its place, and the old rules stay."
sed 's/outcome == "failure"/outcmoe == "success"/' "$work/rules/signin.yaml" >"$work/new"
sed 's/^/  > /' "$work/new" | grep condition
mv "$work/new" "$work/rules/signin.yaml"
wait_for 'unknown field "outcmoe"' "the diagnostic of the typo"
wait_for 'reload refused' "the refusal"
sleep 1

say "3. The typo is mended: the rules are loaded at once."
sed 's/outcmoe/outcome/' "$work/rules/signin.yaml" >"$work/new"
sed 's/^/  > /' "$work/new" | grep condition
mv "$work/new" "$work/rules/signin.yaml"
wait_for 'msg=reloaded' "the reload"

say "4. A new trail file arrives, and the mended rule raises its first alert."
cat >"$work/arriving" <<'JSON'
{"Records":[{"eventVersion":"1.11","eventID":"5f0e6a52-1111-4c1e-9d8e-0a0b0c0d0e0f","eventTime":"2026-08-03T15:04:05Z","eventType":"AwsConsoleSignIn","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.77","userAgent":"Mozilla/5.0","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/mallory","accountId":"111122223333","userName":"mallory"},"requestParameters":null,"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"MFAUsed":"No"},"readOnly":false,"managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}]}
JSON
mv "$work/arriving" "$work/trails/aws/arriving.json"
wait_for 'console-signin-failed: mallory' "the new alert"
sleep 1

say "5. One signal stops it: what is being read and delivered is finished first."
kill -TERM "$daemon"
code=0
wait "$daemon" || code=$?
daemon=
wait "$screen"

say "Done: $(grep -cE '^[0-9T:Z-]+ +(INFO|LOW|MEDIUM|HIGH|CRITICAL) ' "$work/seen") alerts on the terminal, one refused reload, one good one, exit code $code. Everything was in $work, which is removed now."
exit $code
