package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"

	"github.com/trailship/trailship/plugins/sdk"
)

// body makes the body of a request. The nil *body is the alert as it is.
type body struct{ template *template.Template }

// parseBody compiles a template. Every value it inserts is escaped for the
// content type, so that nothing in an alert can leave the place it was put in.
// The alert is plain data: a template can do nothing but print it.
func parseBody(text, contentType string) (*body, error) {
	if text == "" {
		return nil, nil
	}
	t, err := template.New("body").Funcs(template.FuncMap{
		"json": toJSON, "escape": escaper(contentType),
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	for _, t := range t.Templates() {
		escapeAll(t.Root)
	}
	return &body{t}, nil
}

func (b *body) render(a sdk.Alert) ([]byte, error) {
	if b == nil {
		return a.JSON, nil
	}
	d := json.NewDecoder(bytes.NewReader(a.JSON))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		return nil, fmt.Errorf("the alert is not JSON: %w", err)
	}
	dropNulls(data)
	var out bytes.Buffer
	if err := b.template.Execute(&out, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// dropNulls removes null members, because a template fails on a path through
// one and prints nothing for a path through a missing one.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if item == nil {
				delete(v, key)
				continue
			}
			dropNulls(item)
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

// escapeAll ends the pipeline of every action below a node with escape, but
// for those that end with json.
func escapeAll(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, item := range n.Nodes {
				escapeAll(item)
			}
		}
	case *parse.ActionNode:
		if last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1]; len(n.Pipe.Decl) == 0 && last.Args[0].String() != "json" {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand,
				Args:     []parse.Node{parse.NewIdentifier("escape").SetPos(n.Pos)},
			})
		}
	case *parse.IfNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.RangeNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	case *parse.WithNode:
		escapeAll(n.List)
		escapeAll(n.ElseList)
	}
}

// escaper returns what makes a value harmless in a body of a type: inside a
// string of JSON, in a form, or in text.
func escaper(contentType string) func(any) (string, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	escape := printable
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		escape = insideJSON
	case kind == "application/x-www-form-urlencoded":
		escape = url.QueryEscape
	}
	return func(v any) (string, error) {
		switch v := v.(type) {
		case nil:
			return "", nil
		case string:
			return escape(v), nil
		case json.Number:
			return v.String(), nil
		case bool, int, float64:
			return fmt.Sprint(v), nil
		default:
			text, err := toJSON(v)
			if kind == "application/x-www-form-urlencoded" {
				text = escape(text)
			}
			return text, err
		}
	}
}

// toJSON is the template function json: any value as JSON, strings quoted.
func toJSON(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// insideJSON escapes text for the inside of a JSON string.
func insideJSON(s string) string {
	text, _ := toJSON(s)
	return text[1 : len(text)-1]
}

// printable replaces what does not print.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
