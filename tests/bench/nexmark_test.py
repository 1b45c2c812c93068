#!/usr/bin/env python3
"""Runs the Nexmark queries of bench/nexmark at a small scale and compares what they give with an independent computation.

nexmark_test.py MILLRACE [QUERY...]    without queries: all files of bench/nexmark
"""
import collections
import datetime
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

EVENTS, RATE = 20_000, 100
QUERIES = pathlib.Path(__file__).resolve().parents[2] / "bench" / "nexmark"


def day_time(ms, form):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime(form)


# --- what must come out: a list of (key, row) for a stream, a dict for a table -------------------------------------

def by_auction(rows):
    return [(str(row.pop("KEY")), row) for row in rows]


def bid_row(bid, *fields):
    return {"KEY": bid["auction"], **{field.upper(): bid[field] for field in fields}}


def q0(bids, **_):
    return by_auction(bid_row(b, "auction", "bidder", "price", "dateTime", "extra") for b in bids)


def q1(bids, **_):
    return by_auction(bid_row(b, "auction", "bidder", "dateTime", "extra") | {"PRICE": 0.908 * b["price"]} for b in bids)


def q2(bids, **_):
    return by_auction(bid_row(b, "auction", "price") for b in bids if b["auction"] % 123 == 0)


def q3(auctions, people, **_):
    person = {p["id"]: p for p in people}
    rows = []
    for auction in auctions:
        seller = person[auction["seller"]]
        if auction["category"] == 10 and seller["state"] in ("OR", "ID", "CA"):
            rows.append((auction["id"], {"NAME": seller["name"], "CITY": seller["city"], "STATE": seller["state"]}))
    return rows


def q4(bids, auctions, **_):
    auction = {a["id"]: a for a in auctions}
    winning = {}
    for bid in bids:
        of = auction[bid["auction"]]
        if of["dateTime"] <= bid["dateTime"] <= of["expires"]:
            winning[of["id"]] = max(winning.get(of["id"], 0), bid["price"])
    prices = collections.defaultdict(list)
    for id_, price in winning.items():
        prices[auction[id_]["category"]].append(price)
    return {category: {"PRICE": sum(all_) / len(all_)} for category, all_ in prices.items()}


def q6(bids, auctions, **_):
    auction = {a["id"]: a for a in auctions}
    winning = {}
    for bid in bids:
        of = auction[bid["auction"]]
        if of["dateTime"] <= bid["dateTime"] <= of["expires"] and bid["price"] > winning.get(of["id"], bid | {"price": -1})["price"]:
            winning[of["id"]] = bid
    of_seller = collections.defaultdict(list)
    for id_, bid in winning.items():
        of_seller[auction[id_]["seller"]].append((bid["dateTime"], id_, bid["price"]))
    rows = {}
    for seller, won in of_seller.items():
        won.sort()
        for i, (_, id_, _) in enumerate(won):
            last = [price for _, _, price in won[max(0, i - 10):i + 1]]
            rows[id_, seller] = {"AVG_PRICE": sum(last) // len(last)}
    return rows


class Finals:
    """Rows of windows, each with its window's end. Those that end near the input's end need not have come yet."""

    def __init__(self, rows, events):
        self.rows, self.closed = rows, max(e["dateTime"] for e in events) - 30_000


def q5(bids, **_):
    counts = collections.Counter((b["dateTime"] // 2_000 * 2_000 - 2_000 * hop, b["auction"]) for b in bids for hop in range(5))
    most = collections.defaultdict(int)
    for (start, _auction), num in counts.items():
        most[start] = max(most[start], num)
    return Finals([(start + 10_000, (auction, start), {"NUM": num})
                   for (start, auction), num in counts.items() if num >= most[start]], bids)


def q7(bids, **_):
    most = collections.defaultdict(int)
    for b in bids:
        most[b["dateTime"] // 10_000 * 10_000 + 10_000] = max(most[b["dateTime"] // 10_000 * 10_000 + 10_000], b["price"])
    rows = []
    for end, price in most.items():
        rows += [(end, price, {f.upper(): b[f] for f in ("auction", "bidder", "dateTime", "extra")})
                 for b in bids if b["price"] == price and end - 10_000 <= b["dateTime"] <= end]
    return Finals(rows, bids)


def q8(auctions, people, **_):
    opened = {(a["seller"], a["dateTime"] // 10_000 * 10_000) for a in auctions}
    came = {(p["id"], p["name"], p["dateTime"] // 10_000 * 10_000) for p in people}
    return Finals([(start + 10_000, (id_, name, start), {"STIME": start})
                   for id_, name, start in came if (id_, start) in opened], people)


def q10(bids, **_):
    return by_auction(bid_row(b, "auction", "bidder", "price", "dateTime", "extra") |
                      {"DAY": day_time(b["dateTime"], "%Y-%m-%d"), "MINUTE": day_time(b["dateTime"], "%H:%M")}
                      for b in bids)


def q11(bids, **_):
    times = collections.defaultdict(list)
    for bid in bids:
        times[bid["bidder"]].append(bid["dateTime"])
    rows = {}

    def close(bidder, session):
        rows[(bidder, session[0], session[-1])] = {"BID_COUNT": len(session)}

    for bidder, all_ in times.items():
        session = []
        for time in sorted(all_):
            if session and time - session[-1] > 10_000:
                close(bidder, session)
                session = []
            session.append(time)
        close(bidder, session)
    return rows


class Sums(dict):
    """Which windows rows are in depends on the clock: what the windows of a key sum up to does not."""


def q12(bids, **_):
    return Sums(collections.Counter(bid["bidder"] for bid in bids))


def q14(bids, **_):
    def kind(ms):
        hour = int(day_time(ms, "%H"))
        return "dayTime" if 8 <= hour <= 18 else "nightTime" if hour <= 6 or hour >= 20 else "otherTime"

    return by_auction(bid_row(b, "auction", "bidder", "dateTime", "extra") |
                      {"PRICE": 0.908 * b["price"], "BIDTIMETYPE": kind(b["dateTime"]), "C_COUNTS": b["extra"].count("c")}
                      for b in bids if 1_000_000 < 0.908 * b["price"] < 50_000_000)


def price_levels(bids):
    return (bids, [b for b in bids if b["price"] < 10_000], [b for b in bids if 10_000 <= b["price"] < 1_000_000],
            [b for b in bids if b["price"] >= 1_000_000])


def leveled(name, levels, count=len):
    return {f"{place}_{name}": count(level) for place, level in zip(("TOTAL", "RANK1", "RANK2", "RANK3"), levels)}


def visitors(bids):
    levels = price_levels(bids)
    return {**leveled("BIDS", levels), **leveled("BIDDERS", levels, lambda level: len({b["bidder"] for b in level})),
            **leveled("AUCTIONS", levels, lambda level: len({b["auction"] for b in level}))}


def grouped(bids, key):
    groups = collections.defaultdict(list)
    for bid in bids:
        groups[key(bid)].append(bid)
    return groups


def q15(bids, **_):
    return {day: visitors(of) for day, of in grouped(bids, lambda b: day_time(b["dateTime"], "%Y-%m-%d")).items()}


def q16(bids, **_):
    groups = grouped(bids, lambda b: (b["channel"], day_time(b["dateTime"], "%Y-%m-%d")))
    return {key: {"MINUTE": max(day_time(b["dateTime"], "%H:%M") for b in of), **visitors(of)}
            for key, of in groups.items()}


def q17(bids, **_):
    groups = grouped(bids, lambda b: (b["auction"], day_time(b["dateTime"], "%Y-%m-%d")))
    rows = {}
    for key, of in groups.items():
        prices = [b["price"] for b in of]
        rows[key] = {**leveled("BIDS", price_levels(of)), "MIN_PRICE": min(prices), "MAX_PRICE": max(prices),
                     "AVG_PRICE": sum(prices) // len(prices), "SUM_PRICE": sum(prices)}
    return rows


def q18(bids, **_):
    rows = {}
    for b in sorted(bids, key=lambda bid: bid["dateTime"]):
        rows[(b["bidder"], b["auction"])] = {f.upper(): b[f] for f in ("price", "channel", "url", "dateTime", "extra")}
    return rows


def q19(bids, **_):
    rows = {}
    for auction, of in grouped(bids, lambda b: b["auction"]).items():
        for number, b in enumerate(sorted(of, key=lambda bid: -bid["price"])[:10], 1):
            rows[(auction, number)] = {f.upper(): b[f] for f in ("bidder", "price", "channel", "url", "dateTime", "extra")}
    return rows


def item(auction):
    return {f.upper(): auction[f] for f in ("itemName", "description", "initialBid", "reserve", "expires", "seller",
                                            "category")} | {"AUCTION_DATETIME": auction["dateTime"],
                                                            "AUCTION_EXTRA": auction["extra"]}


def q20(bids, auctions, **_):
    auction = {a["id"]: a for a in auctions if a["category"] == 10}
    rows = []
    for b in bids:
        if a := auction.get(b["auction"]):
            rows.append((b["auction"],
                         {f.upper(): b[f] for f in ("bidder", "price", "channel", "url")} |
                         {"BID_DATETIME": b["dateTime"], "BID_EXTRA": b["extra"]} | item(a)))
    return rows


def q21(bids, **_):
    known = {"apple": "0", "google": "1", "facebook": "2", "baidu": "3"}
    rows = []
    for b in bids:
        found = re.search(r"(&|^)channel_id=([^&]*)", b["url"])
        channel = known.get(b["channel"].lower(), found and found[2])
        if channel is not None:
            rows.append(bid_row(b, "auction", "bidder", "price", "channel") | {"CHANNEL_ID": channel})
    return by_auction(rows)


def q22(bids, **_):
    def directories(url):
        return dict(zip(("DIR1", "DIR2", "DIR3"), url.split("/")[3:6]))

    return by_auction(bid_row(b, "auction", "bidder", "price", "channel") | directories(b["url"]) for b in bids)


def q23(bids, auctions, people, **_):
    auction, person = {a["id"]: a for a in auctions}, {p["id"]: p for p in people}
    rows = []
    for b in bids:
        a = auction[b["auction"]]
        p = person[a["seller"]]
        rows.append(bid_row(b, "auction", "bidder", "price") |
                    {"KEY": p["id"], "ITEMNAME": a["itemName"], "RESERVE": a["reserve"], "NAME": p["name"],
                     "CITY": p["city"], "STATE": p["state"]})
    return by_auction(rows)


# --- what came out -----------------------------------------------------------------------------------------------

def text_key(key):
    return key.decode()


def number_key(key):
    return struct.unpack(">q", key)[0]


def json_key(*names):
    return lambda key: tuple(json.loads(key)[name] for name in names)


def session_key(key):
    bidder, end, start = struct.unpack(">qqq", key)
    return bidder, start, end


def window_key(key):
    return struct.unpack(">qq", key)


def window_json_key(*names):
    return lambda key: (*json_key(*names)(key[:-8]), number_key(key[-8:]))


KEYS = {"q3": number_key, "q4": json.loads, "q5": window_key, "q6": json_key("ID", "SELLER"), "q7": number_key, "q8": window_json_key("ID", "NAME"),
        "q11": session_key, "q12": window_key, "q15": text_key, "q16": json_key("CHANNEL", "DAY"),
        "q17": json_key("AUCTION", "DAY"), "q18": json_key("BIDDER", "AUCTION"), "q19": json_key("AUCTION", "RANK_NUMBER"),
        "q20": number_key}


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def order(entry):
    # Doubles may differ in their last digit, so they do not decide the order.
    key, row = entry
    return repr((key, sorted((n, v) for n, v in row.items() if not isinstance(v, float))))


def compare(name, expected, records):
    key_of = KEYS.get(name, text_key)
    if isinstance(expected, Finals):
        actual = collections.Counter(repr((key_of(bytes.fromhex(r["key"])), sorted(r["value"].items()))) for r in records)
        some = collections.Counter(repr((key, sorted(row.items()))) for _, key, row in expected.rows)
        must = collections.Counter(repr((key, sorted(row.items()))) for end, key, row in expected.rows if end <= expected.closed)
        assert must, f"{name}: nothing is expected, so nothing is tested"
        assert not actual - some, f"{name}: got {list(actual - some)[:3]}, which is not expected"
        assert not must - actual, f"{name}: {list(must - actual)[:3]} has not come"
        return sum(actual.values())
    if isinstance(expected, Sums):
        last = {key_of(bytes.fromhex(r["key"])): r["value"]["BID_COUNT"] for r in records}
        sums = collections.Counter()
        for (key, _), count in last.items():
            sums[key] += count
        assert sums == expected, f"{name}: {len(sums)} keys, expected {len(expected)}, or they differ in sums"
        return len(last)
    if isinstance(expected, dict):
        last = {}
        for record in records:
            last[key_of(bytes.fromhex(record["key"]))] = record["value"]
        actual = [(key, row) for key, row in last.items() if row is not None]
        expected = list(expected.items())
    else:
        actual = [(key_of(bytes.fromhex(record["key"])), record["value"]) for record in records]
    assert expected, f"{name}: nothing is expected, so nothing is tested"
    assert len(actual) == len(expected), f"{name}: {len(actual)} rows, expected {len(expected)}"
    for got, wanted in zip(sorted(actual, key=order), sorted(expected, key=order)):
        assert got[0] == wanted[0] and same(got[1], wanted[1]), f"{name}: got {got}, expected {wanted}"
    return len(expected)


def run(millrace, name, log):
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([millrace, "bench", name, *log, "--events", str(EVENTS), "--rate", str(RATE), "--dump", directory],
                       check=True, stdout=subprocess.DEVNULL, timeout=300)
        place = pathlib.Path(directory)
        inputs = {}
        for source, argument in (("bid", "bids"), ("auction", "auctions"), ("person", "people")):
            path = place / f"bench-nexmark-{source}-{EVENTS}-{RATE}.jsonl"
            inputs[argument] = [record["value"] for record in lines(path)] if path.exists() else []
        return compare(name, globals()[name](**inputs), lines(place / "output.jsonl"))


def main():
    millrace, names = sys.argv[1], sys.argv[2:]
    names = names or sorted((p.stem for p in QUERIES.glob("q*.sql")), key=lambda n: int(n[1:]))
    failed = 0
    for name in names:
        for log in (["--memory"], ["--embedded", "--set", "log.sync=off", "--batch", "100"]):
            try:
                print(f"{name} {log[0][2:]}: {run(millrace, name, log)} rows as computed independently")
            except (AssertionError, subprocess.SubprocessError) as error:
                print(f"{name} {log[0][2:]}: FAILED: {error}")
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
