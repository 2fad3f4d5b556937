package s3

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/trailship/trailship/plugins/sdk"
)

// Security Lake asks for pages of at most 1 MiB, row groups of at most 256 MiB,
// rows in the order of their time, and prefers zstd.
// https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html
const pageBytes = 1 << 20

// encodeParquet writes the alerts as rows of one row group. Every object has
// the same columns, whatever its alerts hold.
func encodeParquet(p *part) ([]byte, sdk.Failed) {
	failed := sdk.Failed{}
	rows := make([]finding, 0, len(p.alerts))
	p.alerts = slices.DeleteFunc(slices.Clone(p.alerts), func(a sdk.Alert) bool {
		var row finding
		if err := json.Unmarshal(a.JSON, &row); err != nil {
			failed[a.ID] = sdk.Permanent(errors.Join(errNoFinding, err))
			return true
		}
		rows = append(rows, row)
		return false
	})
	text, err := writeRows(rows)
	if err != nil {
		for _, a := range p.alerts {
			failed[a.ID] = err
		}
		p.alerts = nil
	}
	return text, failed
}

func writeRows(rows []finding) ([]byte, error) {
	var out bytes.Buffer
	w := parquet.NewGenericWriter[finding](&out,
		parquet.Compression(&zstd.Codec{}),
		parquet.PageBufferSize(pageBytes/2), // the writer looks after it wrote a value
		parquet.DataPageVersion(1),          // every reader has it
		parquet.SortingWriterConfig(parquet.SortingColumns(parquet.Ascending("time"))),
		parquet.CreatedBy("trailship", "", ""),
	)
	if _, err := w.Write(rows); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
