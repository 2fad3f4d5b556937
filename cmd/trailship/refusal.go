package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/store"
)

// refusalRule is the id under which the alert about a refused reload goes out.
const refusalRule = "trailship-reload-refused"

// alertRefusal sends an alert about a reload that changed nothing the way all
// alerts go. The same mistakes are alerted once.
func (d *daemon) alertRefusal(list diag.List) error {
	now := time.Now().UTC()
	sum := sha256.Sum256([]byte(refusalRule + "\n" + list.String()))
	id := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))[:26]
	payload, err := json.Marshal(refusal(id, list, now))
	if err != nil {
		return err
	}
	alert := store.Alert{
		ID: id, Hour: uint32(now.Unix() / 3600), RuleID: refusalRule, Severity: "medium", Time: now, JSON: payload,
		Outputs: catchAllOutputs(d.live.Load().config),
	}
	err = d.store.Commit(context.Background(), func(tx store.Tx) error {
		_, err := tx.Raise(alert)
		return err
	})
	d.wake()
	return err
}

// catchAllOutputs are the outputs of routes without a condition, or all.
func catchAllOutputs(cfg *config.Config) []string {
	var names []string
	for _, r := range cfg.Routes {
		if r.When.Kind() == diag.Absent {
			for _, to := range r.To {
				names = append(names, to.Value)
			}
		}
	}
	if len(names) == 0 {
		return outputNames(cfg)
	}
	return names
}

// refusal is an OCSF Detection Finding (class 2004) about the program itself.
func refusal(id string, list diag.List, now time.Time) map[string]any {
	ms := now.UnixMilli()
	title := "A changed configuration or rule was refused; what ran before goes on"
	var mistakes []string
	for _, d := range list {
		if !d.Warning && len(mistakes) < 20 {
			mistakes = append(mistakes, d.String())
		}
	}
	product := map[string]any{"name": "trailship", "vendor_name": "trailship", "version": buildVersion().Version}
	return map[string]any{
		"activity_id": 1, "activity_name": "Create", "category_uid": 2, "category_name": "Findings",
		"class_uid": 2004, "class_name": "Detection Finding", "type_uid": 200401, "type_name": "Detection Finding: Create",
		"severity_id": 3, "severity": "Medium", "status_id": 1, "status": "New", "is_alert": true,
		"time": ms, "message": fmt.Sprintf("%s: %s", title, list[0].Message),
		"metadata": map[string]any{"version": "1.8.0", "uid": id, "product": product, "log_provider": "trailship"},
		"finding_info": map[string]any{
			"uid": id, "title": title, "created_time": ms,
			"analytic": map[string]any{"type_id": 1, "type": "Rule", "uid": refusalRule, "name": title},
		},
		"unmapped": map[string]any{"rule_severity": "medium", "fields": map[string]any{"mistakes": mistakes}},
	}
}
