"""The API through httpx, HTTP/1.1 and HTTP/2: client.py PORT"""
import json
import sys
import time

import httpx

BASE = f"http://127.0.0.1:{sys.argv[1]}"


def check(client, name):
    def post(path, body):
        return client.post(BASE + path, json=body, headers={"Accept": "application/vnd.ksql.v1+json"} if path == "/query" else {})

    created = post("/ksql", {"ksql": f"CREATE STREAM {name} (k STRING KEY, v INT) WITH (kafka_topic='{name}', value_format='JSON', "
                                     f"partitions=1); CREATE TABLE {name}_t AS SELECT k, COUNT(*) AS n FROM {name} GROUP BY k;"})
    assert created.status_code == 200, created.text
    assert created.json()[0]["commandStatus"]["status"] == "SUCCESS"

    lines = [json.dumps({"target": name})] + [json.dumps({"k": "a", "v": i}) for i in range(3)]

    def body():
        for line in lines:
            yield line.encode() + b"\n"

    answer = client.post(BASE + "/inserts-stream", content=body())
    assert [json.loads(line) for line in answer.text.splitlines()] == [{"status": "ok", "seq": i} for i in range(3)], answer.text

    with client.stream("POST", BASE + "/query-stream", json={
            "sql": f"SELECT k, v FROM {name} EMIT CHANGES;", "properties": {"auto.offset.reset": "earliest"}}) as push:
        rows = push.iter_lines()
        query = json.loads(next(rows))["queryId"]
        assert [json.loads(next(rows)) for _ in range(3)] == [["a", 0], ["a", 1], ["a", 2]]
    for _ in range(100):
        if post("/close-query", {"queryId": query}).status_code == 400:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the query outlives its client")

    for _ in range(200):
        pulled = post("/query", {"ksql": f"SELECT n FROM {name}_t WHERE k = 'a';"}).json()
        if pulled[1:] == [{"row": {"columns": [3]}}]:
            break
        time.sleep(0.05)
    else:
        raise AssertionError(pulled)
    wrong = post("/ksql", {"ksql": "DROP STREAM nope;"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (400, 40001)
    zipped = client.post(BASE + "/ksql", json={"ksql": "SHOW PROPERTIES;"}, headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip" and zipped.json()[0]["@type"] == "properties"


with httpx.Client(http1=True, http2=False, timeout=20) as one:
    check(one, "httpx_one")
with httpx.Client(http1=False, http2=True, timeout=20) as two:
    assert two.get(BASE + "/info").http_version == "HTTP/2"
    check(two, "httpx_two")
print("ok")
