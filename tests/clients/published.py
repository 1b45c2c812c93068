"""Clients of ksqlDB from PyPI, ksqldb (HTTP/2) and pykSQL (HTTP/1.1), as they are: published.py PORT"""
import asyncio
import json
import sys
import time

from ksql import KSQLAPI
from ksql.errors import KSQLError
from ksqldb import KSQLdbClient

BASE = f"http://127.0.0.1:{sys.argv[1]}"
EARLIEST = {"ksql.streams.auto.offset.reset": "earliest"}


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def check_ksqldb():
    client = KSQLdbClient(BASE)
    [created, _] = client.ksql("CREATE STREAM two (k STRING KEY, v INT) WITH (kafka_topic='two', value_format='JSON', partitions=1);"
                               "CREATE TABLE two_t AS SELECT k, COUNT(*) AS n FROM two GROUP BY k;")
    assert created["commandStatus"]["status"] == "SUCCESS", created
    acks = client.inserts_stream("two", [{"k": "a", "v": i} for i in range(3)])
    assert acks == [{"status": "ok", "seq": i} for i in range(3)], acks

    async def push():
        got = []
        async for row in client.query_async("SELECT k, v FROM two EMIT CHANGES;", stream_properties=EARLIEST):
            got.append(row)
            if len(got) == 4:
                return got

    head, *rows = asyncio.run(push())
    assert rows == [["a", 0], ["a", 1], ["a", 2]], rows
    wait_for(lambda: not client.close_query(head["queryId"]))  # has gone with its reader
    wait_for(lambda: client.query_sync("SELECT n FROM two_t WHERE k = 'a';")[1:] == [[3]])
    assert client.get_properties()
    try:
        client.ksql("DROP STREAM nope;")
        raise AssertionError("there is no such stream")
    except Exception as error:
        assert "400" in str(error), error


def check_pyksql():
    client = KSQLAPI(BASE, timeout=20)
    assert client.get_ksql_version() and client.get_properties()
    created = client.ksql("CREATE STREAM one (k STRING KEY, v INT) WITH (kafka_topic='one', value_format='JSON', partitions=1)")
    assert created[0]["commandStatus"]["status"] == "SUCCESS", created
    client.ksql("CREATE TABLE one_t AS SELECT k, COUNT(*) AS n FROM one GROUP BY k")
    assert client.create_stream("over", ["k VARCHAR", "v INT"], "one")
    assert client.create_stream_as("derived", ["k", "v"], "one", kafka_topic="derived", conditions="v > 1")
    for i in range(3):
        assert client.ksql(f"INSERT INTO one (k, v) VALUES ('a', {i})") == []
    rows = client.query("SELECT k, v FROM one EMIT CHANGES", stream_properties=EARLIEST)
    pieces = [next(rows) for _ in range(4)]
    assert json.loads(pieces[0].rstrip().rstrip(",") + "]")[0]["header"]["schema"] == "`K` STRING, `V` INTEGER", pieces
    assert [json.loads(piece.rstrip().rstrip(","))["row"]["columns"] for piece in pieces[1:]] == [["a", 0], ["a", 1], ["a", 2]], pieces
    rows.close()

    def pulled():
        return "".join(client.query("SELECT n FROM one_t WHERE k = 'a'"))

    wait_for(lambda: '{"row":{"columns":[3]}}]' in pulled())
    assert client.close_query("nope") is False
    try:
        client.ksql("DROP STREAM nope")
        raise AssertionError("there is no such stream")
    except KSQLError as error:
        assert "does not exist" in str(error), error


check_ksqldb()
check_pyksql()
print("ok")
