"""What the queries of the crash tests must end with, computed from the input topic alone."""
from collections import Counter, defaultdict

WINDOW, GRACE, PARTITIONS = 10_000, 15_000, 4


def murmur2(data):
    """Where Java clients place keys."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


class Expected:
    """Of rows (k, id, g, v, ts) in the order of their partitions."""

    def __init__(self, rows):
        self.windows, self.groups, self.joined, self.late = {}, {}, Counter(), 0
        stream_time = defaultdict(int)
        places = {}
        for k, id_, g, v, ts in rows:
            place = places.get(k)
            if place is None:
                place = places[k] = partition_of(k)
            now = stream_time[place] = max(stream_time[place], ts)
            start = ts // WINDOW * WINDOW
            if start + WINDOW + GRACE > now:
                count, total = self.windows.get((k, start), (0, 0))
                self.windows[k, start] = (count + 1, total + v)
            else:
                self.late += 1
            count, total = self.groups.get(g, (0, 0))
            self.groups[g] = (count + 1, total + v)
            self.joined[id_, v, user_name(k)] += 1


def user_name(key):
    return f"user of {key}"


def differences(what, found, expected):
    """What differs between two dictionaries, in words; None when nothing does."""
    if found == expected:
        return None
    missing = [key for key in expected if key not in found]
    extra = [key for key in found if key not in expected]
    wrong = [(key, found[key], expected[key]) for key in expected if key in found and found[key] != expected[key]]
    return (f"{what}: {len(found)} entries, expected {len(expected)}: {len(missing)} missing {missing[:3]}, "
            f"{len(extra)} extra {extra[:3]}, {len(wrong)} wrong (key, found, expected) {wrong[:3]}")
