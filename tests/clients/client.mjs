// The API through Node's own HTTP/2 client: node client.mjs PORT
import http2 from "node:http2";
import assert from "node:assert";

const session = http2.connect(`http://127.0.0.1:${process.argv[2]}`);
const headers = (path, more = {}) => ({ ":method": "POST", ":path": path, "content-type": "application/json", ...more });

function post(path, body, more) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers(path, more));
    let status, text = "";
    stream.on("response", (h) => (status = h[":status"]));
    stream.on("data", (piece) => (text += piece));
    stream.on("end", () => resolve({ status, text }));
    stream.on("error", reject);
    stream.end(JSON.stringify(body));
  });
}

// Each DATA frame is one JSON document, as published clients take it.
function documents(stream) {
  const waiting = [], ready = [];
  stream.on("data", (piece) => {
    const document = JSON.parse(piece);
    waiting.length ? waiting.shift()(document) : ready.push(document);
  });
  return () => (ready.length ? Promise.resolve(ready.shift()) : new Promise((resolve) => waiting.push(resolve)));
}

const created = await post("/ksql", {
  ksql: "CREATE STREAM node_s (k STRING KEY, v INT) WITH (kafka_topic='node_s', value_format='JSON', partitions=1);" +
    "CREATE TABLE node_t AS SELECT k, COUNT(*) AS n FROM node_s GROUP BY k;",
});
assert.equal(created.status, 200, created.text);
assert.equal(JSON.parse(created.text)[0].commandStatus.status, "SUCCESS");

const push = session.request(headers("/query-stream"));
push.end(JSON.stringify({ sql: "SELECT k, v FROM node_s EMIT CHANGES;", properties: { "auto.offset.reset": "earliest" } }));
const next = documents(push);
const { queryId, columnNames } = await next();
assert.deepEqual(columnNames, ["K", "V"]);

const inserts = session.request(headers("/inserts-stream", { "content-type": "application/vnd.ksqlapi.delimited.v1" }));
const acknowledged = documents(inserts);
inserts.write('{"target":"node_s"}\n');
for (let i = 0; i < 3; i++) {
  inserts.write(JSON.stringify({ k: "a", v: i }) + "\n");
  assert.deepEqual(await acknowledged(), { status: "ok", seq: i });
  assert.deepEqual(await next(), ["a", i]);
}
inserts.end();
push.close(http2.constants.NGHTTP2_CANCEL);

for (let tries = 0; ; tries++) {
  const pulled = await post("/query-stream", { sql: "SELECT n FROM node_t WHERE k = 'a';" }, { accept: "application/json" });
  const rows = JSON.parse(pulled.text);
  if (rows.length === 2 && rows[1][0] === 3) break;
  assert(tries < 200, pulled.text);
  await new Promise((resolve) => setTimeout(resolve, 50));
}

for (let tries = 0; (await post("/close-query", { queryId })).status !== 400; tries++) assert(tries < 100);
const wrong = await post("/ksql", { ksql: "DROP STREAM nope;" });
assert.equal(wrong.status, 400);
assert.equal(JSON.parse(wrong.text).error_code, 40001);
session.close();
console.log("ok");
