package deliver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

// What a plugin can do wrong, and the test that has a real process do it:
//
//	panic in a batch              APanicIsTriedAgain…, AnAlertThePluginAlwaysPanicsOn…
//	die in a batch, or always     APluginThatDiesInABatch…, AnAlertThePluginAlwaysCrashesOn…
//	die while idle                AnIdlePluginThatDies…
//	die at its start              CheckSaysWhyAProgramIsNotRun (it dies), and the daemon's AtTheBound…
//	never shake hands             APluginThatNeverShakesHands… (both)
//	a handshake without an end    AHandshakeLineWithoutEnd…
//	junk on both streams          JunkOnTheStreams…
//	hang in a call                APluginThatHangsInACall…, …NeverJudgesItsConfiguration…, Reopening…
//	SIGSTOP in a call, in a drain AStoppedPlugin…, APluginThatDoesNotDrain…
//	answer nonsense               APluginThatAnswersNonsense…, FuzzAnswers
//	another checksum              CheckSaysWhyAProgramIsNotRun (another hash)
//	another protocol              CheckSaysWhyAProgramIsNotRun (old, new protocol)
//	listen elsewhere              CheckSaysWhyAProgramIsNotRun (not a socket)
//	outlive a killed daemon       NothingOutlivesAKilledDaemon
//	leave its own children        WhatAPluginStartedEnds… (both)
//	flood its log                 APluginThatFloodsItsLog…
//	pause for ever                APauseIsShownAndBounded
//
// TestMain sees that no goroutine is left by any of them.

// debugLog returns a log of every level and where it goes.
func debugLog() (*slog.Logger, *lockedBuffer) {
	var b lockedBuffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), &b
}

// outcome is what a recording plugin wrote and what was buried.
func deliverTo(t *testing.T, o Output, ids ...string) (got []string, dead map[string]string, log string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	text := strings.ReplaceAll(string(o.Config), "OUT", path)
	o.Config = []byte(text)
	logger, buf := debugLog()
	s := &outlet{}
	s.raise(ids...)
	d := run(t, o, s, logger)
	flush(t, d)
	return lines(t, path), s.buried(), buf.String()
}

var recording = map[string]any{"path": "OUT", "token": "s3cr3t/\"x"}

func TestEveryAlertReachesThePluginOnceWhenAllIsWell(t *testing.T) {
	all := ids(t, 2500)
	got, dead, log := deliverTo(t, pluginOutput(t, "record", recording), all...)
	if diff := cmp.Diff(all, got); diff != "" || len(dead) > 0 {
		t.Errorf("dead %v, delivered:\n%s", dead, diff)
	}
	if strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Error(log)
	}
}

func TestWhatFailsInABatchIsTriedAgainAloneOrBuried(t *testing.T) {
	got, dead, log := deliverTo(t, pluginOutput(t, "record", recording),
		"a-1", "refused-1", "flaky-1", "a-2", "a-3")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "a-2", "a-3", "flaky-1"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"refused-1": "not for me"}, dead); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log, "some alerts were not delivered") {
		t.Error(log)
	}
}

func TestAPanicIsTriedAgainAndNoSecretIsSeen(t *testing.T) {
	got, dead, log := deliverTo(t, pluginOutput(t, "record", recording), "a-1", "flaky-1", "panic-1")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "flaky-1", "panic-1"}, slices.Compact(got)); diff != "" || len(dead) > 0 {
		t.Error(diff, dead)
	}
	if strings.Contains(log, "s3cr3t") {
		t.Errorf("the secret is in the log:\n%s", log)
	}
	for _, want := range []string{"token=•••", "nobody told me about •••", "openRecord"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	began := time.Now()
	got, _, _ := deliverTo(t, pluginOutput(t, "record", recording), "later-1")
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("delivered %v after %s", got, took)
	}
}

func TestAPluginThatDiesInABatchIsStartedAgainAndNothingIsLost(t *testing.T) {
	got, dead, log := deliverTo(t, pluginOutput(t, "record", recording), "a-1", "a-2", "crash-1", "a-3")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "a-2", "a-3", "crash-1"}, slices.Compact(got)); diff != "" || len(dead) > 0 {
		t.Errorf("dead %v\n%s", dead, diff)
	}
	if !strings.Contains(log, "the plugin crashed: exit status 3") {
		t.Error(log)
	}
}

func TestAnAlertThePluginAlwaysCrashesOnIsBuriedAndTheOthersGetThrough(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for several restarts")
	}
	got, dead, _ := deliverTo(t, pluginOutput(t, "record", recording), "a-1", "poison-1", "a-2")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "a-2"}, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"poison-1": "the plugin crashed 3 times on this alert alone: the plugin crashed: exit status 3"}
	if diff := cmp.Diff(want, dead); diff != "" {
		t.Error(diff)
	}
}

func TestAnAlertThePluginAlwaysPanicsOnIsBuriedAndTheOthersGetThrough(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for several restarts")
	}
	got, dead, _ := deliverTo(t, pluginOutput(t, "record", recording), "a-1", "broken-1", "a-2")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "a-2"}, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"broken-1": "the plugin crashed 3 times on this alert alone: the plugin crashed: the plugin panicked: what is this"}
	if diff := cmp.Diff(want, dead); diff != "" {
		t.Error(diff)
	}
}

func TestASecretThePluginPrintsIsNotLogged(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	redact := func(text string) string { return strings.ReplaceAll(text, "s3cr3t", "•••") }
	p := &process{log: log, redact: redact}
	w := &logWriter{log: log, redact: redact, quota: &p.quota, text: "the plugin printed"}
	fmt.Fprintln(w, "printed s3cr3t")
	p.readLog(strings.NewReader("wrote s3cr3t\n{\"level\":\"ERROR\",\"msg\":\"failed\",\"token\":\"s3cr3t\"}\n"))
	if got := text.String(); strings.Contains(got, "s3cr3t") || strings.Count(got, "•••") != 3 {
		t.Error(got)
	}
}

func TestAStoppedPluginIsKilledAfterTheCallsDeadline(t *testing.T) {
	o := pluginOutput(t, "record", recording)
	o.Timeout = 300 * time.Millisecond
	got, _, log := deliverTo(t, o, "hang-1")
	if diff := cmp.Diff([]string{"hang-1"}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log, "did not answer in time") {
		t.Error(log)
	}
}

func TestJunkOnTheStreamsIsLoggedAndHarmless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	log, text := debugLog()
	s := &outlet{}
	s.raise("a-1", "a-2")
	flush(t, run(t, pluginOutput(t, "chatty", recordConfig{Path: path}), s, log))
	if diff := cmp.Diff([]string{"a-1", "a-2"}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
	// What it prints comes on ways of its own, later than answers at times.
	for _, want := range []string{
		`text="Warning: something of mine is deprecated"`, `msg="{\"@message\":1}"`,
		`text="printed after the handshake"`, `text="and so was this"`, "xxxxxxxx", "yyyyyyyy",
	} {
		eventually(t, want+" is in the log", func() bool { return strings.Contains(text.String(), want) })
	}
}

func TestEncryptionCanBeOff(t *testing.T) {
	o := pluginOutput(t, "record", recording)
	o.TLS = false
	if got, _, _ := deliverTo(t, o, "a-1"); !slices.Equal(got, []string{"a-1"}) {
		t.Error(got)
	}
}

func TestThePluginSeesNothingOfTheEnvironmentButWhatIsConfigured(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the daemon")
	o := pluginOutput(t, "record", map[string]any{"path": filepath.Join(t.TempDir(), "out")})
	o.Env = []string{"GREETING=hello"}
	c, err := start(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(t.Context())
	environ, err := os.ReadFile("/proc/" + c.proc.ID() + "/environ")
	if err != nil {
		t.Skip(err)
	}
	var names []string
	for entry := range strings.SplitSeq(strings.TrimRight(string(environ), "\x00"), "\x00") {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"GREETING", "PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "TRAILSHIP_DIR", "TRAILSHIP_PLUGIN"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestCheckSaysWhatIsWrongWithTheConfiguration(t *testing.T) {
	for _, test := range []struct {
		config any
		want   sdk.Invalids
	}{
		{map[string]any{"path": "x"}, nil},
		{map[string]any{"pth": "x", "token": 5, "mode": "medium"}, sdk.Invalids{
			{Pointer: "/mode", Message: `must be one of easy, hard, not "medium"`},
			{Pointer: "/pth", Message: `unknown key "pth" (did you mean "path"?)`},
			{Pointer: "/token", Message: "must be a string, not the number 5"},
			{Pointer: "", Message: `"path" is missing`},
		}},
	} {
		err := Check(t.Context(), pluginOutput(t, "record", test.config), nil)
		var got sdk.Invalids
		if err != nil && !errors.As(err, &got) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCheckSaysWhyAProgramIsNotRun(t *testing.T) {
	script := func(text string, mode os.FileMode) []string {
		path := filepath.Join(t.TempDir(), "trailship-output-x")
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
	for name, test := range map[string]struct {
		change func(*Output)
		want   string
	}{
		"it dies":      {func(o *Output) { o.Program[2] = "dies" }, `the plugin ended before its handshake: exit status 7; its last words: "cannot find my licence"`},
		"another hash": {func(o *Output) { o.Sha256 = strings.Repeat("0", 64) }, "PROGRAM is not the pinned one: its sha256 is"},
		"relative":     {func(o *Output) { o.Program = []string{"x"} }, "must be an absolute path"},
		"missing":      {func(o *Output) { o.Program = []string{"/nowhere/x"} }, "no such file or directory"},
		"writable":     {func(o *Output) { o.Program = script("#!/bin/sh\n", 0o775) }, "can be changed by others (mode 0775): chmod go-w it"},
		"unasked certificate": {func(o *Output) {
			o.TLS, o.Program = false, script("#!/bin/sh\necho \"1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/s|grpc|$(printf %099d 0)\"\nsleep 9\n", 0o755)
		}, "the plugin prints a certificate and was not asked for encryption"},
		"no program":   {func(o *Output) { o.Program = script("\x00\x01", 0o755) }, "exec format error"},
		"no plugin":    {func(o *Output) { o.Program = script("#!/bin/sh\necho hello\n", 0o755) }, "the plugin ended before its handshake: exit status 0"},
		"not a socket": {func(o *Output) { o.Program = script("#!/bin/sh\necho '1|1|tcp|127.0.0.1:1|grpc|'\nsleep 9\n", 0o755) }, "it must be a unix socket in PLUGIN_UNIX_SOCKET_DIR"},
		"new protocol": {func(o *Output) { o.Program = script("#!/bin/sh\necho '1|9|unix|/x|grpc|'\nsleep 9\n", 0o755) }, "incompatible API version with plugin. Plugin version: 9, Client versions: [1]"},
		"old protocol": {func(o *Output) { o.Program = script("#!/bin/sh\necho '1|0|unix|/x|grpc|'\nsleep 9\n", 0o755) }, "incompatible API version with plugin. Plugin version: 0, Client versions: [1]"},
		"junk line": {func(o *Output) {
			o.Program = script("#!/bin/sh\necho '1|x|unix'\necho '99|1|unix|x'\nsleep 9\n", 0o755)
		}, "incompatible core API version"},
	} {
		t.Run(name, func(t *testing.T) {
			o := pluginOutput(t, "record", map[string]any{"path": "x"})
			test.change(&o)
			err := Check(t.Context(), o, nil)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), o.Program[0], "PROGRAM"), test.want) {
				t.Errorf("%v\nwant: %s", err, test.want)
			}
		})
	}
}

func TestAPluginThatNeverShakesHandsIsGivenUpWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := Check(ctx, pluginOutput(t, "silent", nil), nil); err == nil {
		t.Error("no error")
	}
}

func TestAPluginThatNeverShakesHandsIsGivenUpAfterTenSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for ten seconds")
	}
	log, text := debugLog()
	d := run(t, pluginOutput(t, "silent", nil), &outlet{}, log)
	eventually(t, "the daemon says so", func() bool {
		return strings.Contains(text.String(), "the plugin did not print its handshake line in time")
	})
	if d.Status().Up {
		t.Errorf("%+v", d.Status())
	}
}

func TestAHandshakeLineWithoutEndHoldsUpNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := Check(ctx, pluginOutput(t, "overlong", nil), nil); err == nil {
		t.Error("no error")
	}
}

func TestAPluginThatNeverJudgesItsConfigurationIsGivenUp(t *testing.T) {
	o := pluginOutput(t, "stuck", map[string]any{})
	o.Timeout, o.Drain = 2*time.Second, 300*time.Millisecond
	err := Check(t.Context(), o, nil)
	if want := "configuring the plugin: the plugin did not answer in time"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	log, text := debugLog()
	run(t, o, &outlet{}, log)
	eventually(t, "the daemon says so", func() bool { return strings.Contains(text.String(), "did not answer in time") })
}

func TestReopeningDoesNotWaitForEver(t *testing.T) {
	o := pluginOutput(t, "rigid", map[string]any{})
	o.Timeout, o.Drain = 2*time.Second, 300*time.Millisecond
	log, text := debugLog()
	d := run(t, o, &outlet{}, log)
	runningPID(t, text)
	err := d.Reopen(t.Context())
	if want := "output rigid: reopening: the plugin did not answer in time"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// runningPID waits until a log says which process the plugin is.
func runningPID(t *testing.T, log *lockedBuffer) (pid int) {
	t.Helper()
	eventually(t, "the plugin runs", func() bool {
		_, after, ok := strings.Cut(log.String(), " pid=")
		after, _, _ = strings.Cut(after, "\n")
		pid, _ = strconv.Atoi(after)
		return ok
	})
	return pid
}

func TestFindLooksInTheFoldersThenInPath(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	for _, file := range []string{dir + "/trailship-output-here", path + "/trailship-output-there"} {
		if err := os.WriteFile(file, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/trailship-output-dull", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"here":   dir + "/trailship-output-here",
		"there":  path + "/trailship-output-there",
		"absent": "plugin absent: there is no program trailship-output-absent in " + dir + ", /none or $PATH",
		"dull":   "plugin dull: " + dir + "/trailship-output-dull is not executable: chmod +x it",
		"../pwn": `"../pwn" is not a plugin's name: it must be a word without slashes`,
		"":       `"" is not a plugin's name: it must be a word without slashes`,
	} {
		got, err := Find(name, []string{dir, "/none"})
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("Find(%q): %s\nwant: %s", name, text, want)
		}
	}
}

func TestInstalledIsWhatFindFinds(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", "relative:"+path+":/nowhere")
	for _, file := range []string{dir + "/trailship-output-both", path + "/trailship-output-both", path + "/trailship-output-there", path + "/other"} {
		if err := os.WriteFile(file, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/trailship-output-dull", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"both": dir + "/trailship-output-both", "there": path + "/trailship-output-there"}
	if diff := cmp.Diff(want, Installed([]string{dir, "/none"})); diff != "" {
		t.Error(diff)
	}
}

func TestDescribeAsksWithoutAConfiguration(t *testing.T) {
	about, err := Describe(t.Context(), pluginOutput(t, "record", nil))
	if err != nil || about.Name != "record" || !strings.Contains(string(about.Schema), `"path"`) {
		t.Error(about, err)
	}
}

func TestAPluginThatDoesNotDrainIsKilled(t *testing.T) {
	runDir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runDir)
	o := pluginOutput(t, "record", map[string]any{"path": filepath.Join(t.TempDir(), "out")})
	o.RunDir, o.Drain = runDir, 200*time.Millisecond
	log, text := debugLog()
	d := &Deliverer{Output: o, Store: &outlet{}, Log: log}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	pid := runningPID(t, text)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil || !isGone(pid) {
		t.Errorf("%v, gone: %v", err, isGone(pid))
	}
	if left, err := os.ReadDir(runDir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
}

func TestNothingOutlivesAKilledDaemon(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(self, "daemon", t.TempDir())
	stdout, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	daemon.Process.Kill()
	daemon.Wait()
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the daemon says %s", line)
	}
	eventually(t, "the plugin is gone", func() bool { return isGone(pid) })
}

// isGone says whether a process ended; nobody may have reaped it yet.
func isGone(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestAnIdlePluginThatDiesIsStartedAgainAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	log, text := debugLog()
	s := &outlet{}
	d := run(t, pluginOutput(t, "record", map[string]any{"path": path}), s, log)
	first := runningPID(t, text)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is shown as down", func() bool {
		st := d.Status()
		return !st.Up && strings.HasPrefix(st.Error, "the plugin ended: signal: killed")
	})
	eventually(t, "another one runs, though there is no alert", func() bool { return strings.Count(text.String(), "the plugin is running") == 2 })
	if !d.Status().Up {
		t.Errorf("%+v", d.Status())
	}
	s.raise("a-1")
	flush(t, d)
	if diff := cmp.Diff([]string{"a-1"}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestAPluginThatDiesInOneBatchIsThereForTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := &outlet{}
	d := run(t, pluginOutput(t, "record", map[string]any{"path": path}), s, nil)
	for _, id := range []string{"crash-1", "a-1", "crash-2", "a-2"} {
		s.raise(id)
		flush(t, d)
	}
	if diff := cmp.Diff([]string{"crash-1", "a-1", "crash-2", "a-2"}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestShippedFileOutputWritesWholeAlerts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	s := &outlet{}
	s.raise("a", "b")
	d := run(t, pluginOutput(t, "file", map[string]any{"path": path}), s, nil)
	flush(t, d)
	if diff := cmp.Diff([]string{`{"message":"alert a"}`, `{"message":"alert b"}`}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := d.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.raise("c")
	flush(t, d)
	if diff := cmp.Diff([]string{`{"message":"alert c"}`}, lines(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestShippedStdoutHasWrittenWhatItAcknowledged(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := pluginOutput(t, "stdout", map[string]any{"format": "json"})
	o.Stdout = f
	s := &outlet{}
	s.raise(ids(t, 1500)...)
	d := run(t, o, s, nil)
	flush(t, d)
	if got := lines(t, f.Name()); len(got) != 1500 || got[1499] != `{"message":"alert a1499"}` {
		t.Errorf("%d lines, the last %s", len(got), got[len(got)-1])
	}
}

func TestRunDirIsPrivateEmptyAndShort(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{data, filepath.Join(data, strings.Repeat("long/", 20))} {
		for range 2 {
			dir, err := RunDir(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			info, err := os.Stat(dir)
			if err != nil || info.Mode().Perm() != 0o700 || len(dir) > maxSocketDir {
				t.Errorf("%s: %v %v", dir, info, err)
			}
			if err := os.WriteFile(filepath.Join(dir, "left over"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Error(entries)
			}
		}
	}
}
