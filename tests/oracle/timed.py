"""Queries whose answer depends on the order of arrival: late rows of sessions and of joins with a GRACE PERIOD.

Their sources have one partition and known order (`seq`), so that stream time is known at every row.
"""
from expressions import Column
from relations import Relation

WINDOW_UNITS = 1000


def assign_sessions(rows, gap, grace, final):
    """Which session each row gets: rows are (seq, key, ts) in order. Gives (seq, session, start, end) for those not late.

    A session that was closed before a row came takes it no more: its result was given out (`final`: only those are
    given), or has left the store, which keeps it for gap + grace.
    """
    sessions, stream_time, closed, taken = {}, None, -1, []
    for seq, key, ts in rows:
        kept_from = closed + 1
        stream_time = ts if stream_time is None else max(stream_time, ts)
        own = sessions.setdefault(key, [])
        near = [s for s in own if s["end"] >= max(ts - gap, kept_from) and s["start"] <= ts + gap]
        start, end = min([ts] + [s["start"] for s in near]), max([ts] + [s["end"] for s in near])
        bound = stream_time - grace - gap
        if end >= bound:
            rows_of = [seq] + [n for s in near for n in s["rows"]]
            sessions[key] = [s for s in own if s not in near] + [{"start": start, "end": end, "rows": rows_of}]
        closed = max(closed, bound - 1)
    made = [s for own in sessions.values() for s in own if not final or s["end"] <= closed]
    for number, session in enumerate(made):
        taken += [(seq, number, session["start"], session["end"]) for seq in session["rows"]]
    return taken


def join_rows(rows, outer, before, after, grace):
    """What a stream-stream join with a grace period gives for rows (seq, feed, side, key, ts) in order: (feed, left, right)
    by seq, None for what is missing."""
    reach, kept, held, out = (after, before), ([], []), [], []
    newest, stream_time, span = [None, None], None, before + after + grace

    def give(feed, side, own, other=None):
        out.append((feed, own, other) if side == 0 else (feed, other, own))

    for seq, feed, side, key, ts in rows:
        if key is None:  # meets no other, and says nothing about stream time
            if outer[side]:
                give(feed, side, seq)
            continue
        stream_time = ts if stream_time is None else max(stream_time, ts)
        for waiting in [h for h in held if h[1] + reach[h[2]] + grace < stream_time]:
            give(feed, waiting[2], waiting[0])
            held.remove(waiting)
        newest[side] = ts if newest[side] is None else max(newest[side], ts)
        other = 1 - side
        met = [r for r in kept[other] if r[3] == key and ts - reach[other] <= r[1] <= ts + reach[side] and
               r[1] > newest[other] - span]
        for partner in met:
            give(feed, side, seq, partner[0])
            if partner in held:
                held.remove(partner)
        row, visible = (seq, ts, side, key), ts > newest[side] - span
        if visible:
            kept[side].append(row)
        if outer[side] and not met:
            if visible and ts + reach[side] + grace >= stream_time:
                held.append(row)
            else:
                give(feed, side, seq)
    return out


class TimedQueries:
    """Part of Builder."""

    def timed_sessions(self):
        source, name = self.pick("stream"), self.name()
        groups = self.grouping(source)
        if not groups or not source.ordered:
            return None
        gap, final = self.random.choice([1, 3, 8]) * WINDOW_UNITS, self.random.random() < 0.5
        grace = self.random.choice([0, 1_000, 7_000] + [None] * final)
        clause = f"SESSION ({gap} MILLISECONDS" + (")" if grace is None else f", GRACE PERIOD {grace} MILLISECONDS)")
        aggregates = self.aggregates(source, ordered=False)
        where, test = self.where(source.columns, 0.3)
        having, passes = self.having(aggregates)
        keys = ", ".join(n for n, _ in groups)
        accepted = f"(SELECT *, {', '.join(f'{e.duck} AS {n}' for n, e in groups)} FROM {source.name} " \
                   f"WHERE NOT gone AND {test} AND {self.grouped(groups)})"
        rows = [(row[0], row[2:], row[1]) for row in
                self.db.execute(f"SELECT seq, ts, {keys} FROM {accepted} ORDER BY seq").fetchall()]
        self.store(f"sessions_{name}", "seq, session, ws, we", assign_sessions(rows, gap, grace or 0, final))
        self.create(
            "table", name,
            f"SELECT {', '.join(f'{e.mill} AS {n}' for n, e in groups + aggregates)} FROM {source.name} WINDOW {clause}{where} "
            f"GROUP BY {', '.join(e.mill for _, e in groups)}{having} EMIT {'FINAL' if final else 'CHANGES'}",
            f"SELECT * FROM (SELECT {self.world.last_feed} AS feed, min(ws) AS ws, min(we) AS we, max(ts) AS ts, {keys}, "
            f"{', '.join(f'{e.duck} AS {n}' for n, e in aggregates)} FROM {accepted} JOIN sessions_{name} USING (seq) "
            f"GROUP BY session, {keys}) WHERE {passes}", len(groups) > 1)
        made = Relation(name, "table", self.columns_of(groups), self.columns_of(aggregates), source.roots, window=True,
                        final=final, partitions=source.partitions)
        made.session = True
        return made

    def timed_join(self):
        left, right, name = self.pick("stream"), self.pick("stream"), self.name()
        if left.roots & right.roots or not left.ordered or not right.ordered or left.partitions != 1 or right.partitions != 1:
            return None
        pair = self.same_type(left.columns, right.columns)
        if pair is None:
            return None
        kind = self.random.choice(["INNER", "LEFT", "RIGHT", "FULL OUTER"])
        before, after = self.random.choice([0, 1, 5, 20]) * 1000, self.random.choice([0, 2, 5, 20]) * 1000
        grace = self.random.choice([0, 500, 3_000, 20_000])
        rows = self.db.execute(
            f"SELECT seq, feed, 0, {pair[0].name}, ts FROM {left.name} WHERE NOT gone UNION ALL "
            f"SELECT seq, feed, 1, {pair[1].name}, ts FROM {right.name} WHERE NOT gone ORDER BY seq").fetchall()
        outer = (kind in ("LEFT", "FULL OUTER"), kind in ("RIGHT", "FULL OUTER"))
        self.store(f"pairs_{name}", "feed, l, r", join_rows(rows, outer, before, after, grace))
        items = self.join_items(left, right)
        lk, rk = f"L.{pair[0].name}", f"R.{pair[1].name}"
        select = ", ".join([f"{'ROWKEY' if kind == 'FULL OUTER' else lk} AS JK"] + [f"{e.mill} AS {n}" for n, e in items])
        self.create("stream", name, f"SELECT {select} FROM {left.name} L {kind} JOIN {right.name} R WITHIN ({before} MILLISECONDS, "
                    f"{after} MILLISECONDS) GRACE PERIOD {grace} MILLISECONDS ON {lk} = {rk}",
                    f"SELECT p.feed AS feed, 0 AS seq, greatest(L.ts, R.ts) AS ts, false AS gone, coalesce({lk}, {rk}) AS JK, "
                    f"{', '.join(f'{e.duck} AS {n}' for n, e in items)} FROM pairs_{name} p LEFT JOIN {left.name} L ON L.seq = p.l "
                    f"LEFT JOIN {right.name} R ON R.seq = p.r")
        return Relation(name, "stream", [Column("JK", pair[0].type)], self.columns_of(items), left.roots | right.roots, False)

    def store(self, table, columns, rows):
        self.db.execute(f"CREATE TABLE {table} ({', '.join(f'{c} BIGINT' for c in columns.split(', '))})")
        if rows:
            self.db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
