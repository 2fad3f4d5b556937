package main

import (
	"bytes"
	"context"
	"net/http"

	"github.com/trailship/trailship/plugins/sdk"
)

type config struct {
	URL   string     `json:"url" doc:"Where to POST each alert" required:"true"`
	Token sdk.Secret `json:"token"`
}

func open(ctx context.Context, c config) (sdk.Output, error) {
	return sdk.Each(func(ctx context.Context, a sdk.Alert) error {
		req, err := http.NewRequestWithContext(ctx, "POST", c.URL, bytes.NewReader(a.JSON))
		if err != nil {
			return sdk.Permanent(err)
		}
		req.Header.Set("Idempotency-Key", a.ID)
		return sdk.HTTP(http.DefaultClient.Do(req)) // 2xx ok; 408, 425, 429, 5xx retry (Retry-After kept); else permanent
	}), nil
}

func main() { sdk.Serve("my-hook", open) }
