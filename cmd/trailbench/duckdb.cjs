// Runs a file of SQL in DuckDB with one thread:
// node duckdb.cjs FOLDER-OF-NODE-MODULES FILE
const { createRequire } = require('node:module');
const fs = require('node:fs');

const [modules, file] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(fs.realpathSync(modules) + '/')('@duckdb/node-api');

(async () => {
  const db = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await db.connect();
  await connection.run(fs.readFileSync(file, 'utf8'));
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
