package s3

import (
	"bytes"
	"encoding/json"

	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/plugins/sdk"
)

// format is what an object is.
type format struct {
	suffix, contentType string
	// encode makes the object's bytes. It takes alerts that cannot be encoded
	// out of the part, and names them. The same part always holds the same.
	encode func(*part) ([]byte, sdk.Failed)
}

var formats = map[string]format{
	"ndjson":  {".ndjson.gz", "application/gzip", encodeLines},
	"parquet": {".parquet", "application/vnd.apache.parquet", encodeParquet},
}

// encodeLines writes the alerts as they are, one a line.
func encodeLines(p *part) ([]byte, sdk.Failed) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	for _, a := range p.alerts {
		z.Write(oneLine(a.JSON)) // writing to memory cannot fail
		z.Write([]byte{'\n'})
	}
	z.Close()
	return out.Bytes(), sdk.Failed{}
}

// oneLine returns JSON on one line, as the daemon sends it.
func oneLine(alert json.RawMessage) []byte {
	if !bytes.ContainsAny(alert, "\r\n") {
		return alert
	}
	var line bytes.Buffer
	if json.Compact(&line, alert) != nil {
		return alert
	}
	return line.Bytes()
}
