package s3

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

// duckdb prints the answer of a query as JSON, with DuckDB from npm.
const duckdb = `
const {DuckDBInstance} = require('@duckdb/node-api');
(async () => {
  const db = await (await DuckDBInstance.create(':memory:')).connect();
  const all = await db.runAndReadAll(process.argv[1]);
  console.log(JSON.stringify(all.getRowObjectsJson()));
})();`

// Another reader than the library that wrote it: DuckDB's, in C++. The folder
// named by TRAILSHIP_DUCKDB is one where `npm install @duckdb/node-api` was run.
func TestAnotherReaderReadsTheObject(t *testing.T) {
	dir := os.Getenv("TRAILSHIP_DUCKDB")
	if dir == "" {
		t.Skip("needs DuckDB: run npm install @duckdb/node-api in a folder and name it in TRAILSHIP_DUCKDB")
	}
	object, failed := encodeParquet(&part{alerts: []sdk.Alert{{ID: "a", JSON: []byte(full)}, {ID: "b", JSON: []byte(minimal)}}})
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	out := query(t, dir, object, `SELECT time, message, cloud.account.uid AS account, evidences[1].src_endpoint.ip AS ip, evidences[1].data AS data,
		 len(finding_info.attacks) AS attacks, finding_info.attacks[3].sub_technique.uid AS technique, unmapped['tags'] AS tags, unmapped['record'] AS record, actor.session IS NULL AS stranger
		 FROM '%s' ORDER BY metadata.uid`)
	want := `[{"time":"1785748364000","message":"mallory \r\n disabled 漢 é","account":"111122223333","ip":"198.51.100.7","data":"{\"eventVersion\":\"1.08\",\"n\":12345678901234567890}","attacks":"3","technique":"T1562.008","tags":"[\"x\"]","record":"7","stranger":true},` +
		`{"time":"1785748364000","message":null,"account":null,"ip":null,"data":null,"attacks":"0","technique":null,"tags":null,"record":null,"stranger":true}]` + "\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

// query asks DuckDB about an object, whose path takes the place of %s.
func query(t *testing.T, dir string, object []byte, sql string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.parquet")
	if err := os.WriteFile(path, object, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", duckdb, fmt.Sprintf(sql, path))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
