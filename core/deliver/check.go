package deliver

import (
	"context"
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
