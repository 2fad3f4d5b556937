package deliver

import (
	"context"
	"encoding/json"
	"log/slog"
)

// Check starts an output's plugin, has it judge its configuration, and ends
// it. sdk.Invalids is what the plugin finds wrong with the configuration; any
// other error says why the plugin does not run. The plugin touches nothing but
// a temporary folder. What it logs goes to log; nil drops it.
func Check(ctx context.Context, o Output, log *slog.Logger) error {
	o = o.withDefaults()
	o.StateDir = ""
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c, err := start(ctx, o, log.With("output", o.Name))
	if err != nil {
		return err
	}
	err = c.configure(ctx, o)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	late, cancel := context.WithTimeout(ctx, o.Drain)
	defer cancel()
	c.close(late)
	return err
}

// About is what a plugin says it is.
type About struct {
	Name, Version string
	Schema        json.RawMessage // a JSON Schema of its configuration; nil when it says none
	MaxAlerts     int             // the largest batch it likes; 0 = no wish
	MaxBytes      int
}

// Describe starts an output's plugin, asks what it is, and ends it. Of o the
// configuration does not matter. What the plugin logs is dropped.
func Describe(ctx context.Context, o Output) (About, error) {
	o = o.withDefaults()
	o.StateDir = ""
	c, err := start(ctx, o, slog.New(slog.DiscardHandler))
	if err != nil {
		return About{}, err
	}
	defer c.close(canceled())
	about := About{
		Name: c.about.Name, Version: c.about.Version,
		MaxAlerts: int(c.about.MaxAlerts), MaxBytes: int(c.about.MaxBytes),
	}
	if json.Valid(c.about.ConfigSchema) {
		about.Schema = c.about.ConfigSchema
	}
	return about, nil
}
