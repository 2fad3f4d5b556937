package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/plugins/sdk"
)

// indexer is the Output.
type indexer struct {
	url    string
	index  index
	create bool
	gzip   bool
	header http.Header
	client *http.Client
}

// Deliver indexes the alerts with one request. When the server refuses the
// request as a whole for what is in it, or for its size, each half is tried
// alone, until what is refused is alone.
func (ix *indexer) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	failed := sdk.Failed{}
	sendable := make([]sdk.Alert, 0, len(alerts))
	for _, a := range alerts {
		if !json.Valid(a.JSON) {
			failed[a.ID] = sdk.Permanent(errors.New("the alert is not JSON"))
			continue
		}
		sendable = append(sendable, a)
	}
	ix.deliver(ctx, sendable, failed)
	if len(failed) == 0 {
		return nil
	}
	return failed
}

func (ix *indexer) deliver(ctx context.Context, alerts []sdk.Alert, failed sdk.Failed) {
	if len(alerts) == 0 {
		return
	}
	status, err := ix.send(ctx, alerts, failed)
	switch {
	case err == nil:
	case atFault(status) && len(alerts) > 1:
		half := len(alerts) / 2
		ix.deliver(ctx, alerts[:half], failed)
		ix.deliver(ctx, alerts[half:], failed)
	default:
		for _, a := range alerts {
			failed[a.ID] = err
		}
	}
}

// send makes one request. The error is about all of it, with the status of the
// answer, 0 for none; failures of single alerts go into failed.
func (ix *indexer) send(ctx context.Context, alerts []sdk.Alert, failed sdk.Failed) (int, error) {
	body, err := ix.body(alerts)
	if err != nil {
		return 0, sdk.Permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ix.url, bytes.NewReader(body))
	if err != nil {
		return 0, sdk.Permanent(err)
	}
	req.Header = ix.header.Clone()
	req.Header.Set("Content-Type", "application/x-ndjson")
	if ix.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := ix.client.Do(req)
	if err != nil {
		return 0, sdk.HTTP(resp, err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, unexpected(resp)
	}
	defer resp.Body.Close()
	return resp.StatusCode, ix.judge(resp.Body, alerts, failed)
}

// unexpected is the error of an answer that is not 200. Any other success
// comes from something that is not the bulk API.
func unexpected(resp *http.Response) error {
	err := sdk.HTTP(resp, nil)
	permanent, _ := sdk.Judge(err)
	switch {
	case err == nil:
		return fmt.Errorf("the server answered %s to a bulk request: is url right?", resp.Status)
	case permanent && !atFault(resp.StatusCode):
		return fmt.Errorf("%s: %v", advice(resp.StatusCode), err)
	}
	return err
}

// atFault says that a status is about what was sent. Of all others nothing is
// wrong with the alerts: an operator can mend it, and they are tried again.
func atFault(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge
}

// advice says where to look.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "check username and password, or api_key"
	case http.StatusForbidden:
		return "allow the account to write to the index"
	}
	return "check url"
}

// body is a bulk request: for each alert a line that says what to do, and one
// with the document.
func (ix *indexer) body(alerts []sdk.Alert) ([]byte, error) {
	var out bytes.Buffer
	var w io.Writer = &out
	var zip *gzip.Writer
	if ix.gzip {
		zip = gzip.NewWriter(&out)
		w = zip
	}
	for _, a := range alerts {
		text, err := ix.lines(a)
		if err != nil {
			return nil, err
		}
		w.Write(text) // into memory
	}
	if zip != nil {
		zip.Close()
	}
	return out.Bytes(), nil
}

// lines are those of one alert. The document is the alert, and @timestamp, which
// data streams ask for and dashboards look at.
func (ix *indexer) lines(a sdk.Alert) ([]byte, error) {
	type target struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	op := "index"
	if ix.create {
		op = "create"
	}
	text, err := json.Marshal(map[string]target{op: {ix.index.at(a.Time), a.ID}})
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(append(text, '\n'))
	doc := bytes.TrimSpace(a.JSON)
	if len(doc) > 2 && doc[0] == '{' {
		fmt.Fprintf(out, `{"@timestamp":%q,`, a.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		doc = doc[1:]
	}
	// Line ends can stand between members only, where a space says the same.
	out.Write(bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, doc))
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// maxAnswer bounds what is read of an answer: 1000 refusals with their reasons
// take less.
const maxAnswer = 16 << 20

// item is what became of one alert.
type item struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

// judge reads what became of each alert. Items are in the order of the alerts.
func (ix *indexer) judge(body io.Reader, alerts []sdk.Alert, failed sdk.Failed) error {
	var answer struct {
		Items []map[string]item `json:"items"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("the answer is not one of the bulk API: is url right? %w", err)
	}
	if len(answer.Items) != len(alerts) {
		return fmt.Errorf("the answer is about %d alerts of %d: is url right?", len(answer.Items), len(alerts))
	}
	for i, ops := range answer.Items {
		for _, it := range ops { // one
			if err := it.verdict(ix.create); err != nil {
				failed[alerts[i].ID] = err
			}
		}
		if len(ops) != 1 {
			failed[alerts[i].ID] = errors.New("the answer does not say what became of it")
		}
	}
	return nil
}

// verdict is the error of an alert, or nil.
func (it item) verdict(create bool) error {
	switch {
	case it.Status >= 200 && it.Status < 300:
		return nil
	case it.Status == http.StatusConflict && create:
		return nil // it is there: this is the second time
	}
	err := fmt.Errorf("the index answered %d %s: %q", it.Status, it.Error.Type, it.Error.Reason)
	if atFault(it.Status) {
		return sdk.Permanent(err)
	}
	return err
}

// Close lets go of idle connections.
func (ix *indexer) Close() error {
	ix.client.CloseIdleConnections()
	return nil
}
