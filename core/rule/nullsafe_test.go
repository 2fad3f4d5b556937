package rule

import (
	"reflect"
	"testing"

	"github.com/trailship/trailship/core/event"
)

// TestMissingIsNotAnError: a member that a record does not have is nil, and a
// comparison with it is false.
func TestMissingIsNotAnError(t *testing.T) {
	for expr, want := range map[string]any{
		`raw.nothing`:                               nil,
		`raw.a.b.c`:                                 nil,
		`raw.a.b[0].c`:                              nil,
		`raw.s.x.y`:                                 nil, // a text is in the way
		`raw.no.x`:                                  nil, // JSON null is in the way
		`raw.requestParameters.list[9]`:             nil,
		`raw.requestParameters.list[-1]`:            "b",
		`raw.requestParameters.list.x`:              nil,
		`raw.requestParameters["list"][0]`:          "a",
		`raw.requestParameters["no such"]`:          nil,
		`raw.requestParameters[raw.nothing]`:        nil,
		`raw?.requestParameters?.keyId`:             "1234abcd",
		`raw.requestParameters.items[0].k`:          "v",
		`request.keyId`:                             "1234abcd",
		`api.request.data.keyId`:                    "1234abcd",
		`request.encryptionContext.app == "x"`:      true,
		`response.x.y`:                              nil,
		`unmapped.x.y`:                              nil,
		`raw.nothing == "x"`:                        false,
		`raw.nothing != "x"`:                        true,
		`raw.nothing > 5`:                           false,
		`raw.nothing <= 5`:                          false,
		`5 > raw.nothing`:                           false,
		`raw.nothing contains "x"`:                  false,
		`raw.nothing not contains "x"`:              true,
		`raw.nothing startsWith "x"`:                false,
		`raw.nothing matches "x"`:                   false,
		`raw.nothing in ["x"]`:                      false,
		`raw.nothing in ["", "x"]`:                  false,
		`raw.nothing in lists.admins`:               false,
		`"x" in raw.nothing`:                        false,
		`raw.nothing and true`:                      false,
		`not raw.nothing`:                           true,
		`raw.nothing or false`:                      false,
		`raw.flag and true`:                         true,
		`not raw.flag`:                              false,
		`raw.s and true`:                            false,
		`raw.nothing ? 1 : 2`:                       2,
		`lower(raw.nothing)`:                        "",
		`upper(raw.s)`:                              "TEXT",
		`trim(raw.nothing)`:                         "",
		`len(raw.nothing)`:                          0,
		`len(raw.requestParameters.list)`:           2,
		`split(raw.nothing, "/")`:                   []string{""},
		`split(raw.s, "x")[1]`:                      "t",
		`replace(raw.nothing, "a", "b")`:            "",
		`hasPrefix(raw.nothing, "a")`:               false,
		`any(raw.nothing, # == "x")`:                false,
		`all(raw.nothing, # == "x")`:                true,
		`any(raw.requestParameters.list, # == "b")`: true,
		`any(raw.requestParameters.items, .k == "v" and .nothing == nil)`: true,
		`any(raw.requestParameters.items, .nothing)`:                      false,
		`count(raw.requestParameters.list, # != "a")`:                     1,
		`filter(raw.nothing, # == 1)`:                                     []any{},
		`map(raw.requestParameters.items, .k)`:                            []any{"v"},
		`first(raw.nothing)`:                                              nil,
		`keys(raw.nothing)`:                                               []any{},
		`keys(raw.requestParameters)`:                                     []any{"items", "keyId", "list"},
		`values({"b": 1, "a": 2})`:                                        []any{2, 1},
		`toPairs({"b": 1, "a": 2})`:                                       []any{[]any{"a", 2}, []any{"b", 1}},
		`keys(groupBy(resources, .type))`:                                 []any{"AWS::KMS::Key"},
		`max(1, 3, raw.n)`:                                                int64(7),
		`min([4, 3], 5)`:                                                  3,
		`raw.requestParameters.list == ["a", "b"]`:                        true,
		`raw.requestParameters.list != ["a", "b"]`:                        false,
		`["a", raw.n] == ["a", 7]`:                                        true,
		`{"a": [1]} == {"a": [1]}`:                                        true,
		`{"a": [1]} == {"a": [2]}`:                                        false,
		`policies == []`:                                                  true,
		`resources == []`:                                                 false,
		`raw.nothing == []`:                                               false,
		`raw.requestParameters.list == nil`:                               false,
		`resources != nil`:                                                true,
		`[1] == nil`:                                                      false,
		`join(raw.nothing, ",")`:                                          "",
		`join(raw.requestParameters.list, ",")`:                           "a,b",
		`string(raw.nothing)`:                                             "",
		`raw.nothing ?? "x"`:                                              "x",
		`raw.n == 7`:                                                      true,
		`raw.n == "7"`:                                                    false,
		`raw.n in [5, 7]`:                                                 true,
		`raw.n in ["7"]`:                                                  false,
		`raw.n in lists.admins`:                                           true, // lists are text, trails write ids both ways
		`raw.n > 6.5`:                                                     true,
		`raw.f + 1`:                                                       2.5,
		`raw.big`:                                                         "12345678901234567890",
		`raw.accountId`:                                                   int64(111122223333),
		`resources[0].type`:                                               "AWS::KMS::Key",
		`first(resources).type`:                                           "AWS::KMS::Key",
		`resources[5].type == "x"`:                                        false,
		`resources[-5].owner.account.uid == "x" or action == "Decrypt"`: true,
		`lower(policies[0].name) == ""`:                                 true,
		`policies[0].name in lists.admins`:                              false,
		`policies[0].name startsWith "x"`:                               false,
		`policies[0] == nil`:                                            true,
		`first(policies).name == "x"`:                                   false,
		`find(resources, .type == "x").id == "x"`:                       false,
		`find(resources, .type startsWith "AWS").type`:                  "AWS::KMS::Key",
		`split(action, "x")[7] == "x"`:                                  false,
		`split(action, "c")[-1]`:                                        "rypt",
		`filter(resources, .type == "x")`:                               []any{},
		`time.Year()`:                                                   2026,
		`time.In(timezone("Asia/Shanghai")).Hour()`:                     17,
		`let k = raw.nothing; k == nil`:                                 true,
		`if raw.flag == true { "a" } else { "b" }`:                      "a",
	} {
		got, err := evaluate(t, expr, decrypt())
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %#v, want %#v", expr, got, want)
		}
	}
}

// TestOpenPartsAreLoadedWhenRead: what an expression does not read is not
// parsed.
func TestOpenPartsAreLoadedWhenRead(t *testing.T) {
	c := newCompiler(event.Event{})
	for expr, want := range map[string]event.Parts{
		`service == "kms"`:                   0,
		`raw.x == 1`:                         event.PartRaw,
		`raw == nil`:                         event.PartRaw,
		`request.x == 1 and response.y == 2`: event.PartRequest | event.PartResponse,
		`unmapped.x == 1`:                    event.PartUnmapped,
		`api.operation == "x" and api.request.uid == "y" and api.response.error == ""`: 0,
		`api.request.data.x == 1`:    event.PartRequest,
		`api.response.data == nil`:   event.PartResponse,
		`api.request == api.request`: event.PartRequest,
		`toJSON(api) == ""`:          event.PartRequest | event.PartResponse,
	} {
		p, problems := c.parse(expr, &scope{})
		if p == nil {
			t.Errorf("%s: %v", expr, problems)
		} else if got := p.parts & event.PartsOpen; got != want {
			t.Errorf("%s reads %b, want %b", expr, got, want)
		}
	}
}

func TestCheapTermsSaveLoading(t *testing.T) {
	set := load(t, "r.yaml", `
rules:
  - {id: a, title: A, severity: low, condition: 'raw.eventName == "Decrypt" and service == "ecs"'}
  - {id: b, title: B, severity: low, condition: 'request.keyId == "1234abcd" and region == "eu-west-1"'}
`)
	ev := decrypt()
	if got := ids(set, ev); !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("matched %v, want b", got)
	}
	if ev.Raw != nil {
		t.Error("the record was parsed although the service was another")
	}
	if ev.Request != nil {
		t.Error("the request was parsed although one member of it was asked for")
	}
}
