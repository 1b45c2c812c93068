// Clients of ksqlDB from npm, as they are: node published.mjs FOLDER PORT; FOLDER has their node_modules.
import assert from "node:assert";
import { createRequire } from "node:module";

const [folder, port] = process.argv.slice(2);
const load = createRequire(`${folder}/index.js`);
const url = `http://127.0.0.1:${port}`;

async function until(condition) {
  for (let tries = 0; !(await condition()); tries++) {
    assert(tries < 200, "it never came true");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function streaminy() {
  const Client = load("ksqldb-client");
  const client = new Client({ host: "http://127.0.0.1", port: Number(port) });
  await client.connect();
  const created = await client.executeStatement(
    "CREATE STREAM a (k STRING KEY, v INT) WITH (kafka_topic='a', value_format='JSON', partitions=1);");
  assert.equal(created.status, 200, JSON.stringify(created));
  await client.executeStatement("CREATE TABLE a_t AS SELECT k, COUNT(*) AS n FROM a GROUP BY k;");
  for (let v = 0; v < 3; v++) assert.equal((await client.insertInto("a", { k: "x", v })).status, 200);
  const seen = [];
  await client.streamQuery("SELECT k, v FROM a EMIT CHANGES;", async ({ metadata, rows }) => {
    for (const row of rows ?? []) seen.push(row.V);
    if (seen.length === 3) assert(!(await client.terminatePushQuery(metadata.queryId)).error);
  }, { streamsProperties: { "auto.offset.reset": "earliest" }, properties: { "auto.offset.reset": "earliest" } });
  assert.deepEqual(seen, [0, 1, 2]);
  await until(async () => (await client.query("SELECT n FROM a_t WHERE k = 'x';")).data?.rows?.[0]?.N === 3);
  assert((await client.listStreams()).some((stream) => stream.name === "A"));
  assert((await client.listTables()).some((table) => table.name === "A_T"));
  assert((await client.listQueries()).some((query) => query.sinks[0] === "A_T"));
  assert.equal((await client.describeSource("a")).name, "A");
  assert.equal((await client.query("SELECT * FROM nope;")).error.error_code, 40001);
  await client.disconnect();
}

async function clientNode() {
  const { KsqlDbClient } = load("ksqldb-client-node");
  const session = new KsqlDbClient({ url }).session();
  const query = session.queryStream({ sql: "SELECT k, v FROM a EMIT CHANGES;", properties: { "auto.offset.reset": "earliest" } });
  for await (const rows of query) {
    assert.deepEqual(rows[0], { K: "x", V: 0 });
    break;
  }
  assert.deepEqual(query.columnNames, ["K", "V"]);
  const pulled = [];
  for await (const rows of session.queryStream({ sql: "SELECT n FROM a_t WHERE k = 'x';" })) pulled.push(...[rows].flat());
  assert.deepEqual(pulled, [{ N: 3 }]);
  await assert.rejects(async () => {
    for await (const rows of session.queryStream({ sql: "SELECT * FROM nope;" })) assert.fail(rows);
  }, /does not exist/);
  session.destroy();
}

async function js() {
  const Client = load("ksqldb-js");
  const client = new Client({ ksqldbURL: url });
  await client.createStream("b", ["k VARCHAR KEY", "v INTEGER"], "b", "json", 1);
  const acks = await client.insertStream("b", [{ k: "x", v: 1 }, { k: "y", v: 2 }]);
  assert.deepEqual(acks, [{ status: "ok", seq: 0 }, { status: "ok", seq: 1 }]);
  const [head, ...rows] = await client.pull("SELECT * FROM b;");
  assert.deepEqual(head.columnNames, ["K", "V"]);
  assert.deepEqual(rows, [["x", 1], ["y", 2]]);
  const pushed = [];
  const id = await client.push("SELECT v FROM b EMIT CHANGES;", (piece) => pushed.push(JSON.parse(piece)));
  await client.insertStream("b", [{ k: "z", v: 3 }]);
  await until(() => pushed.length === 2);
  assert.deepEqual(pushed[1], [3]);
  assert.equal((await client.terminate(id)).wasTerminated, true);
  assert.match(await client.createStreamAs("c", ["k", "v"], "b", { kafka_topic: "c" }, "v > 0", ""), /^CSAS_C_/);
  assert.equal((await client.inspectQueryStatus("stream/`B`/create")).data.status, "SUCCESS");
  assert.equal((await client.inspectServerInfo()).data.KsqlServerInfo.serverStatus, "RUNNING");
  assert.equal((await client.isValidProperty("auto.offset.reset")).data, true);
  await assert.rejects(() => client.ksql("DROP STREAM nope;"), /does not exist/);
}

await streaminy();
await clientNode();
await js();
console.log("ok");
process.exit(0);
