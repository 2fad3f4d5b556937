package plugins_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/trailship/trailship/plugins"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// hostileValues are what strangers write into user names, user agents, names
// of resources and keys of objects. They are inside of a JSON string here, so
// that there can be what Go's strings cannot hold.
var hostileValues = map[string]string{
	"line ends":        `a\r\nX-Injected: 1\r\n\r\n<34>1 - - - - - injected\n{\"index\":{\"_index\":\"x\"}}\n`,
	"paths":            `../../etc/x ..\\..\\x /etc/passwd %2e%2e%2fx`,
	"a path":           `../../../../../../etc/x`,
	"templates":        `{{.actor.user.name}} {{/*}} ${HOME} ${env:HOME} ${file:/etc/passwd} $(id) %s %n %Y%m%d`,
	"mentions":         `<!channel> <!here> @here @channel <@U1> <#C1> <http://x|y> &lt;!channel&gt;`,
	"markup":           "*b* _i_ ~s~ `c` ```d``` [a](http://x) <script>alert(1)</script> :boom:",
	"terminal escapes": `\u001b[2J\u001b]0;t\u0007 \u009b31m \b\u007f`,
	"NUL":              `a\u0000b`,
	"direction":        "\u202egnp.exe \u2066x \u200b",
	"line separators":  "a\u2028b\u2029c\u0085d \\u2028",
	"half a surrogate": `\ud800 \udfff`,
	"no UTF-8":         "\xff\xfe \xc3( \xf0\x9f",
	"quotes":           `\"],\"x\":1} ' \" \\ \\\" ]`,
	"brackets":         `] [x@1 y=\"z\"] \\]`,
	"a formula":        `=cmd|' /C calc'!A0`,
	"form data":        `a&b=c;d=e+f%00`,
	"nothing":          ``,
	"a megabyte":       strings.Repeat("A", 1<<20) + `\n`,
}

// hostileAlert puts a value wherever a stranger's can be.
func hostileAlert(name, value string) *pb.Alert {
	id := "id-" + strings.ReplaceAll(name, " ", "-")
	const at = 1785748364000 // 2026-08-03T09:12:44Z
	object := strings.NewReplacer("VALUE", value, "ID", id).Replace(`{"time":1785748364000,"class_uid":2004,"message":"VALUE did it",` +
		`"finding_info":{"uid":"ID","title":"A key was disabled","related_events":[{"uid":"VALUE"}]},"metadata":{"uid":"ID"},"actor":{"user":{"name":"VALUE","uid":"VALUE"}},` +
		`"cloud":{"provider":"AWS","region":"VALUE","account":{"uid":"VALUE"}},"resources":[{"uid":"VALUE"}],` +
		`"evidences":[{"src_endpoint":{"ip":"VALUE"},"http_request":{"user_agent":"VALUE"}}],` +
		`"unmapped":{"rule_severity":"high","runbook":"VALUE","fields":{"VALUE":"VALUE"},"object":"VALUE","source":"s","record":1}}`)
	key := strings.ToValidUTF8(value, "")
	return &pb.Alert{Id: id, RuleId: "kms-key-disabled", Severity: "high", EventTime: at, Attempt: 1, Key: key[:min(len(key), 1000)], Json: []byte(object)}
}

// confined is a destination of an output, and what must be true of each item
// it holds afterwards.
type confined struct {
	name string
	open func(t *testing.T) sdktest.Plugin
	// check says what is wrong with an item about an alert.
	check func(a *pb.Alert, item string) error
}

// confinement has the destinations of each shipped output. One without is a
// mistake.
var confinement = map[string][]confined{
	"file":          {{"", intoFile, isTheAlert}},
	"stdout":        {{"text", ontoStdoutAs("text"), isALine}, {"json", ontoStdoutAs("json"), both(isTheAlert, prints)}},
	"webhook":       {{"", intoWebAs("", ""), isARequest(isTheAlert)}, {"json", intoWebAs("application/json", jsonBody), isARequest(isTheObject)}, {"form", intoWebAs("application/x-www-form-urlencoded", formBody), isARequest(isTheForm)}, {"text", intoWebAs("text/plain", "{{.finding_info.uid}} {{.message}}"), isARequest(prints)}},
	"slack":         {{"webhook", intoSlack, isAMessage}, {"bot", intoSlackAsBot, isAMessage}},
	"syslog":        {{"json", intoSyslogAs("json"), isASyslog(isTheAlert)}, {"text", intoSyslogAs("text"), isASyslog(prints)}, {"udp", intoSyslogOverUDP, isADatagram}},
	"opensearch":    {{"", intoSearchAsLines, isADocument}},
	"elasticsearch": {{"", intoSearchAsLines, isADocument}},
	"kafka":         {{"", intoKafkaToTheEnd, isTheAlert}},
	"s3":            {{"", intoS3WithKeys, isInAnObject}},
}

func TestHostileValuesAreConfinedOrEscapedInEveryOutput(t *testing.T) {
	for name := range plugins.Shipped {
		if len(confinement[name]) == 0 {
			t.Errorf("%s: how does it confine hostile values? Add a row to the table", name)
		}
		for _, c := range confinement[name] {
			t.Run(strings.TrimSpace(name+" "+c.name), func(t *testing.T) { testConfinement(t, name, c) })
		}
	}
}

// testConfinement delivers everything in one batch, and then holds every item
// of the destination against its alert.
func testConfinement(t *testing.T, name string, c confined) {
	d := c.open(t)
	p := configured(t, name, d)
	alerts := map[string]*pb.Alert{}
	req := &pb.DeliverRequest{BatchId: "1"}
	for _, value := range sorted(hostileValues) {
		a := hostileAlert(value, hostileValues[value])
		alerts[a.Id] = a
		req.Alerts = append(req.Alerts, a)
	}
	resp, err := p.Deliver(t.Context(), req)
	if err != nil || len(resp.Failed) > 0 {
		t.Fatalf("%v %v", err, resp)
	}
	if _, err := p.Drain(t.Context(), &pb.DrainRequest{}); err != nil {
		t.Fatal(err)
	}
	p.stop()

	items, err := d.ReadBack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != len(alerts) {
		t.Errorf("%d items of %d alerts", len(items), len(alerts))
	}
	for _, item := range items {
		a := alerts[idIn.FindString(item)]
		if a == nil {
			t.Errorf("an item of no alert: %s", clip(item))
			continue
		}
		delete(alerts, a.Id)
		if err := c.check(a, item); err != nil {
			t.Errorf("%s: %v\n%s", a.Id, err, clip(item))
		}
	}
	for id := range alerts {
		t.Errorf("%s did not arrive", id)
	}
	if left, err := os.ReadDir(filepath.Dir(p.cmd.Dir)); err != nil || len(left) != len(dirsOf(t, p.cmd.Dir)) {
		t.Errorf("%v beside the output's folder: %v", left, err)
	}
}

var idIn = regexp.MustCompile(`id-[A-Za-z0-9-]+`)

// dirsOf lists the temporary folders of the test, which stand beside each
// other.
func dirsOf(t *testing.T, one string) []string {
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(one), "[0-9][0-9][0-9]"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func clip(text string) string { return strconv.Quote(text[:min(len(text), 600)]) }
