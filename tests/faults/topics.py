"""Topics of a broker, written and read with kcat, without the server."""
import json
import subprocess

from server import BROKER


def produce(topic, lines, broker=BROKER):
    """Lines "key\\tvalue", placed as Java clients place keys. Returns when the broker has them all."""
    subprocess.run(
        ["kcat", "-P", "-b", broker, "-t", topic, "-K", "\t", "-X", "partitioner=murmur2_random",
         "-X", "enable.idempotence=true", "-X", "linger.ms=20"],
        input="".join(line + "\n" for line in lines).encode(), check=True, timeout=120)


def read_committed(topic, broker=BROKER):
    """Every record of a topic that a committed reader sees: (partition, offset, key, value) in partition order; bytes
    or None."""
    # The end is told by an answer without records: none comes while new ones come faster than the broker waits for them.
    out = subprocess.run(
        ["kcat", "-C", "-b", broker, "-t", topic, "-e", "-q", "-o", "beginning", "-X", "isolation.level=read_committed",
         "-X", "fetch.wait.max.ms=1", "-f", "%p %o %K %S\\n%k%s\\n"], capture_output=True, check=True, timeout=120).stdout
    records, at = [], 0
    while at < len(out):
        end = out.index(b"\n", at)
        partition, offset, key_size, value_size = map(int, out[at:end].split())
        at = end + 1
        key = None if key_size < 0 else out[at:at + key_size]
        at += max(key_size, 0)
        value = None if value_size < 0 else out[at:at + value_size]
        at += max(value_size, 0) + 1
        records.append((partition, offset, key, value))
    return sorted(records, key=lambda record: record[:2])


def fold(records):
    """The last value of every key; keys whose last value is a tombstone are left out."""
    table = {}
    for _, _, key, value in records:
        table[key] = value
    return {key: value for key, value in table.items() if value is not None}


def topics_of_brokers():
    """Of each topic its partitions, as (replicas, those in sync)."""
    listed = subprocess.run(["kcat", "-L", "-J", "-b", BROKER], capture_output=True, check=True, timeout=30).stdout
    return {topic["topic"]: [(len(one["replicas"]), len(one["isrs"])) for one in topic["partitions"]]
            for topic in json.loads(listed)["topics"]}


def all_in_sync():
    return all(replicas == in_sync for topic in topics_of_brokers().values() for replicas, in_sync in topic)
