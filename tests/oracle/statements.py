"""Random queries over the relations of a world: each adds a statement, and the relation that must come out of it."""
from expressions import DECIMAL, LIST, NESTED, Column, Expr, condition, is_number, of_column, value
from memberships import MembershipQueries
from nested import NestedQueries
from over import OverQueries
from pulls import PullQueries
from relations import Relation
from timed import TimedQueries
from united import UnitedQueries

WINDOW_UNITS = 1000
NO_KEY = ("DOUBLE", DECIMAL, *NESTED)  # types that a key of the KAFKA format does not take, or that nobody groups by
HELD = frozenset(["held"])  # among the roots of what comes from an outer join that waits


class Builder(MembershipQueries, NestedQueries, OverQueries, PullQueries, TimedQueries, UnitedQueries):
    def __init__(self, world):
        self.world, self.random, self.db = world, world.random, world.db
        self.count = 0
        self.declared = set()  # tables with versions

    def add(self):
        """Adds one query; gives its relation, or nothing when the dice fell badly."""
        makers = [self.project_stream, self.project_stream, self.project_table, self.partition_by, self.explode,
                  self.aggregate_stream, self.aggregate_stream, self.aggregate_table, self.tumbling_or_hopping,
                  self.tumbling_or_hopping, self.sessions, self.timed_sessions, self.join_streams, self.join_streams,
                  self.timed_join, self.join_stream_table,
                  self.join_tables, self.join_foreign_key, self.top_of_stream, self.top_of_table,
                  self.nested, self.nested, self.nested, self.union_all, self.membership_query,
                  self.membership_query, self.over_table, self.over_table, self.over_stream,
                  self.distinct_rows, self.union_tables, self.union_tables, self.union_distinct, self.unnest, self.unnest,
                  self.value_of_table, self.join_as_of]
        made = self.random.choice(makers)()
        if made is not None:
            self.world.relations.append(made)
        return made

    # --- parts ---
    def name(self):
        self.count += 1
        return f"Q{self.count}"

    def items(self, source):
        """Value items of a projection, named V0, V1, ..."""
        columns, keys = source.columns, [c.name for c in source.keys]
        out = []
        for i in range(self.random.randrange(1, 4)):
            made = value(self.random, columns)
            if made.mill in keys:  # a copy of the key must be asked for
                made = Expr(f"AS_VALUE({made.mill})", made.duck, made.type)
            out.append((f"V{i}", made))
        return out

    def where(self, columns, chance=0.5):
        if self.random.random() > chance:
            return "", "true"
        test = condition(self.random, columns)
        return f" WHERE {test.mill}", test.duck

    @staticmethod
    def columns_of(items):
        return [Column(name, expr.type) for name, expr in items]

    # --- one source ---
    def project_stream(self):
        source, name = self.pick("stream"), self.name()
        items = self.items(source)
        where, test = self.where(source.columns)
        keys = [c.name for c in source.keys]
        mill = ", ".join(keys + [f"{e.mill} AS {n}" for n, e in items])
        duck = ", ".join(keys + [f"CASE WHEN gone THEN NULL ELSE {e.duck} END AS {n}" for n, e in items])
        passes = f"(NOT gone AND {test})" if where else "true"
        self.create("stream", name, f"SELECT {mill} FROM {source.name}{where}",
                    f"SELECT feed, seq, ts, gone, {duck} FROM {source.name} WHERE {passes}")
        return Relation(name, "stream", source.keys, self.columns_of(items), source.roots, source.ordered,
                        partitions=source.partitions)

    def project_table(self):
        source, name = self.pick("table"), self.name()
        items = self.items(source)
        where, test = self.where(source.columns)
        keys = [c.name for c in source.keys]
        mill = ", ".join(keys + [f"{e.mill} AS {n}" for n, e in items])
        duck = ", ".join(keys + [f"{e.duck} AS {n}" for n, e in items])
        self.create("table", name, f"SELECT {mill} FROM {source.name}{where}",
                    f"SELECT feed, {duck} FROM {source.name} WHERE {test}", len(keys) > 1)
        return Relation(name, "table", source.keys, self.columns_of(items), source.roots, partitions=source.partitions)

    def partition_by(self):
        source, name = self.pick("stream"), self.name()
        by = self.random.choice(source.values)
        if by.type in NO_KEY:
            return None
        where, test = self.where(source.columns, 0.3)
        other = self.random.choice(source.columns)
        passes = f"(NOT gone AND {test})" if where else "true"
        self.create("stream", name,
                    f"SELECT {by.name} AS PK, AS_VALUE({other.name}) AS V0 FROM {source.name}{where} PARTITION BY {by.name}",
                    f"SELECT feed, seq, ts, gone, {by.name} AS PK, CASE WHEN gone THEN NULL ELSE {other.name} END AS V0 "
                    f"FROM {source.name} WHERE {passes}")
        return Relation(name, "stream", [Column("PK", by.type)], [Column("V0", other.type)], source.roots,
                        source.ordered and source.partitions == 1, partitions=source.partitions)

    def explode(self):
        name, source = self.name(), self.random.choice(self.world.relations[:2])
        where, test = self.where(source.columns, 0.3)
        self.create("stream", name, f"SELECT K, A AS V0, EXPLODE(LS) AS V1 FROM {source.name}{where}",
                    f"SELECT feed, seq, ts, gone, K, A AS V0, unnest(LS) AS V1 FROM {source.name} WHERE NOT gone AND {test}")
        return Relation(name, "stream", source.keys, [Column("V0", "INT"), Column("V1", "INT")], source.roots, False,
                        partitions=source.partitions)

    # --- aggregates ---
    def aggregates(self, source, undo=False, ordered=True):
        out = [("N", Expr("COUNT(*)", "count(*)", "BIGINT"))]
        for i in range(self.random.randrange(0, 3)):
            column = of_column(self.random.choice(source.columns))
            made = self.aggregate(column, undo, ordered)
            if made is not None and self.random.random() < 0.3:
                made = self.filtered(made, source)
            if made is not None:
                out.append((f"V{i}", made))
        return out

    def aggregate(self, column, undo, ordered):
        mill, duck, numeric = column.mill, column.duck, is_number(column.type)
        choices = [Expr(f"COUNT({mill})", f"count({duck})", "BIGINT")]
        if numeric:
            choices.append(Expr(f"SUM({mill})", f"coalesce(sum({duck}), 0)", column.type))
        if numeric and column.type != DECIMAL:
            choices.append(Expr(f"AVG({mill})", f"coalesce(avg({duck}), 0)", "DOUBLE"))
        if numeric and not undo:
            choices.append(Expr(f"MIN({mill})", f"min({duck})", column.type))
            choices.append(Expr(f"MAX({mill})", f"max({duck})", column.type))
        if not undo and ordered:
            choices.append(Expr(f"LATEST_BY_OFFSET({mill})", f"arg_max({duck}, seq) FILTER ({duck} IS NOT NULL)", column.type))
            choices.append(Expr(f"EARLIEST_BY_OFFSET({mill})", f"arg_min({duck}, seq) FILTER ({duck} IS NOT NULL)", column.type))
        if not undo and column.type == "INT":
            some = f"list({duck} ORDER BY {duck} DESC) FILTER ({duck} IS NOT NULL)"
            choices.append(Expr(f"TOPK({mill}, 2)", f"coalesce(list_slice({some}, 1, 2), [])", LIST))
            choices.append(Expr(f"TOPKDISTINCT({mill}, 2)",
                                f"coalesce(list_slice(list_sort(list_distinct({some}), 'DESC'), 1, 2), [])", LIST))
        if not undo and ordered and column.type == "INT":
            taken = f"list({duck} ORDER BY seq)"
            choices.append(Expr(f"COLLECT_LIST({mill})", taken, LIST))
            choices.append(Expr(f"COLLECT_SET({mill})",
                                f"list_filter({taken}, lambda x, i: list_position({taken}, x) = i)", LIST))
        if not undo and column.type not in NO_KEY:
            choices.append(Expr(f"COUNT_DISTINCT({mill})", f"count(DISTINCT {duck})", "BIGINT"))
        if column.type == "INT":
            choices.append(Expr(f"COLLECT_LIST({mill} ORDER BY {mill} DESC)", f"list({duck} ORDER BY {duck} DESC NULLS FIRST)", LIST))
        if column.type not in NO_KEY:
            choices.append(Expr(f"COUNT(DISTINCT {mill})", f"count(DISTINCT {duck})", "BIGINT"))
        if column.type in ("INT", "BIGINT"):
            choices.append(Expr(f"SUM(DISTINCT {mill})", f"coalesce(sum(DISTINCT {duck}), 0)", column.type))
        return self.random.choice(choices)

    def filtered(self, made, source):
        """The aggregate with FILTER, where it is one call here and there."""
        if made.duck.startswith("coalesce(") and made.duck.endswith(", 0)"):
            before, inner, after = "coalesce(", made.duck[len("coalesce("):-len(", 0)")], ", 0)"
        else:
            before, inner, after = "", made.duck, ""
        if not inner.startswith(("count(", "sum(", "avg(", "min(", "max(")) or "FILTER" in inner:
            return made
        test = condition(self.random, source.columns)
        return Expr(f"{made.mill} FILTER (WHERE {test.mill})", f"{before}{inner} FILTER (WHERE {test.duck}){after}", made.type)

    # --- ranks ---
    def rank(self, source, tie):
        """Columns to group and to order by, and the order here and there."""
        by, of = self.random.choice(source.columns), self.random.choice(source.columns)
        if by.type in NO_KEY or of.type in NESTED:
            return None
        down = self.random.random() < 0.5
        first = self.random.choice([None, True, False])
        mill = of.name + (" DESC" if down else "") + ("" if first is None else f" NULLS {'FIRST' if first else 'LAST'}")
        nulls = "FIRST" if (down if first is None else first) else "LAST"
        return by, f"{of.name}{' DESC' if down else ' ASC'} NULLS {nulls}, {tie}", mill, self.random.randrange(1, 4)

    def top_of_stream(self):
        source, name = self.pick("stream"), self.name()
        made = self.rank(source, "seq") if source.ordered and source.partitions == 1 else None
        if made is None:
            return None
        by, duck, mill, most = made
        shown = self.random.choice(source.columns)
        numbered = most > 1 or self.random.random() < 0.5
        rank = f"ROW_NUMBER() OVER (PARTITION BY {by.name} ORDER BY {mill})"
        self.create(
            "table", name, f"SELECT {by.name} AS G0, AS_VALUE({shown.name}) AS V0{f', {rank} AS R' if numbered else ''} "
            f"FROM {source.name} WHERE {by.name} IS NOT NULL QUALIFY {'R' if numbered else rank} <= {most}",
            f"SELECT {'*' if numbered else '* EXCLUDE (R)'} FROM (SELECT f.feed AS feed, {by.name} AS G0, {shown.name} AS V0, "
            f"row_number() OVER (PARTITION BY f.feed, {by.name} ORDER BY {duck}) AS R FROM feeds f JOIN {source.name} r "
            f"ON r.feed <= f.feed WHERE NOT gone AND {by.name} IS NOT NULL) WHERE R <= {most}", numbered)
        keys = [Column("G0", by.type)] + ([Column("R", "BIGINT")] if numbered else [])
        return Relation(name, "table", keys, [Column("V0", shown.type)], source.roots, partitions=source.partitions)

    def top_of_table(self):
        source, name = self.pick("table"), self.name()
        keys = [c.name for c in source.keys]
        made = self.rank(source, ", ".join(keys))
        if made is None or source.window:
            return None
        by, duck, mill, most = made
        shown = self.random.choice(source.columns)
        function = self.random.choice(["ROW_NUMBER", "RANK", "DENSE_RANK"])
        if function == "ROW_NUMBER":
            most += 1
        order = duck if function == "ROW_NUMBER" else duck[:duck.index(",")]
        self.create(
            "table", name, f"SELECT {', '.join(keys)}, AS_VALUE({shown.name}) AS V0 FROM {source.name} "
            f"QUALIFY {function}() OVER (PARTITION BY {by.name} ORDER BY {mill}) <= {most}",
            f"SELECT * EXCLUDE (place) FROM (SELECT feed, {', '.join(keys)}, {shown.name} AS V0, {function}() OVER "
            f"(PARTITION BY feed, {by.name} ORDER BY {order}) AS place FROM {source.name}) WHERE place <= {most}", len(keys) > 1)
        return Relation(name, "table", source.keys, [Column("V0", shown.type)], source.roots, partitions=source.partitions)

    def grouping(self, source):
        count = self.random.choice([1, 1, 1, 2])
        out, seen = [], set()
        for i in range(count):
            column = self.random.choice(source.columns)
            expr = of_column(column)
            if self.random.random() < 0.4:
                expr = value(self.random, [column], 1)
            if expr.type in NO_KEY or expr.mill in seen:
                continue
            seen.add(expr.mill)
            out.append((f"G{i}", expr))
        return out

    def having(self, aggregates):
        if self.random.random() > 0.3:
            return "", "true"
        limit = self.random.randrange(1, 4)
        return f" HAVING COUNT(*) > {limit}", f"N > {limit}"

    @staticmethod
    def grouped(groups):
        return " AND ".join(f"({e.duck}) IS NOT NULL" for _, e in groups)

    def aggregate_stream(self):
        source, name = self.pick("stream"), self.name()
        groups, aggregates = self.grouping(source), self.aggregates(source, ordered=source.ordered)
        if not groups:
            return None
        where, test = self.where(source.columns, 0.3)
        having, passes = self.having(aggregates)
        shown = groups + aggregates
        self.create(
            "table", name, f"SELECT {', '.join(f'{e.mill} AS {n}' for n, e in shown)} FROM {source.name}{where} "
            f"GROUP BY {', '.join(e.mill for _, e in groups)}{having}",
            f"SELECT * FROM (SELECT f.feed AS feed, {', '.join(f'{e.duck} AS {n}' for n, e in shown)} "
            f"FROM feeds f JOIN {source.name} r ON r.feed <= f.feed WHERE NOT gone AND {test} AND {self.grouped(groups)} "
            f"GROUP BY f.feed, {', '.join(e.duck for _, e in groups)}) WHERE {passes}", len(groups) > 1)
        return Relation(name, "table", self.columns_of(groups), self.columns_of(aggregates), source.roots,
                        partitions=source.partitions)

    def aggregate_table(self):
        source, name = self.pick("table"), self.name()
        groups, aggregates = self.grouping(source), self.aggregates(source, undo=True)
        if not groups:
            return None
        where, test = self.where(source.columns, 0.3)
        limit = self.random.randrange(0, 3)
        shown = groups + aggregates
        self.create(
            "table", name, f"SELECT {', '.join(f'{e.mill} AS {n}' for n, e in shown)} FROM {source.name}{where} "
            f"GROUP BY {', '.join(e.mill for _, e in groups)} HAVING COUNT(*) > {limit}",
            f"SELECT * FROM (SELECT feed, {', '.join(f'{e.duck} AS {n}' for n, e in shown)} FROM {source.name} "
            f"WHERE {test} AND {self.grouped(groups)} GROUP BY feed, {', '.join(e.duck for _, e in groups)}) "
            f"WHERE N > {limit}", len(groups) > 1)
        return Relation(name, "table", self.columns_of(groups), self.columns_of(aggregates), source.roots,
                        partitions=source.partitions)

    # --- windows ---
    def tumbling_or_hopping(self):
        source, name = self.pick("stream"), self.name()
        groups = self.grouping(source)
        if not groups:
            return None
        size = self.random.choice([2, 5, 10]) * WINDOW_UNITS
        advance = size if self.random.random() < 0.5 else self.random.choice([1, 2]) * WINDOW_UNITS
        known = source.ordered  # lateness can be told
        grace = self.random.choice([0, 1_000, 7_000, None]) if known else None
        final = known and self.random.random() < 0.4
        clause = f"HOPPING (SIZE {size} MILLISECONDS, ADVANCE BY {advance} MILLISECONDS" if advance != size else \
            f"TUMBLING (SIZE {size} MILLISECONDS"
        clause += f", GRACE PERIOD {grace} MILLISECONDS)" if grace is not None else ")"
        waits = grace if grace is not None else 0 if final else 86_400_000 - size
        aggregates = self.aggregates(source, ordered=source.ordered)
        where, test = self.where(source.columns, 0.3)
        having, passes = self.having(aggregates)
        shown = groups + aggregates
        closed = f" AND ws + {size + waits} <= (SELECT max(st) FROM taken)" if final else ""
        order = "ORDER BY seq ROWS UNBOUNDED PRECEDING" if known else "ORDER BY seq"
        first = f"greatest(0, ts - {size - advance}) // {advance} * {advance}"
        self.create(
            "table", name,
            f"SELECT {', '.join(f'{e.mill} AS {n}' for n, e in shown)} FROM {source.name} WINDOW {clause}{where} "
            f"GROUP BY {', '.join(e.mill for _, e in groups)}{having} EMIT {'FINAL' if final else 'CHANGES'}",
            f"WITH taken AS (SELECT *, max(ts) OVER ({order}) AS st FROM {source.name} WHERE NOT gone AND {test} "
            f"AND {self.grouped(groups)}), "
            f"assigned AS (SELECT *, unnest(generate_series({first}, ts, {advance})) AS ws FROM taken) "
            f"SELECT * FROM (SELECT {self.world.last_feed} AS feed, ws, ws + {size} AS we, max(ts) AS ts, "
            f"{', '.join(f'{e.duck} AS {n}' for n, e in shown)} FROM assigned WHERE ws + {size + waits} > st{closed} "
            f"GROUP BY ws, {', '.join(e.duck for _, e in groups)}) WHERE {passes}", len(groups) > 1)
        return Relation(name, "table", self.columns_of(groups), self.columns_of(aggregates), source.roots, window=True,
                        final=final, partitions=source.partitions)

    def sessions(self):
        source, name = self.pick("stream"), self.name()
        groups = self.grouping(source)
        if not groups:
            return None
        gap = self.random.choice([1, 3, 8]) * WINDOW_UNITS
        aggregates = self.aggregates(source, ordered=False)
        where, test = self.where(source.columns, 0.3)
        having, passes = self.having(aggregates)
        keys = ", ".join(n for n, _ in groups)
        named = ", ".join(f"{e.duck} AS {n}" for n, e in groups)
        self.create(
            "table", name,
            f"SELECT {', '.join(f'{e.mill} AS {n}' for n, e in groups + aggregates)} FROM {source.name} "
            f"WINDOW SESSION ({gap} MILLISECONDS){where} GROUP BY {', '.join(e.mill for _, e in groups)}{having}",
            f"WITH taken AS (SELECT *, {named} FROM {source.name} WHERE NOT gone AND {test} AND {self.grouped(groups)}), "
            f"marked AS (SELECT *, ts - lag(ts, 1, -100000000) OVER (PARTITION BY {keys} ORDER BY ts) > {gap} AS fresh "
            f"FROM taken), numbered AS (SELECT *, sum(fresh::INTEGER) OVER (PARTITION BY {keys} ORDER BY ts "
            f"RANGE UNBOUNDED PRECEDING) AS session FROM marked) "
            f"SELECT * FROM (SELECT {self.world.last_feed} AS feed, min(ts) AS ws, max(ts) AS we, max(ts) AS ts, {keys}, "
            f"{', '.join(f'{e.duck} AS {n}' for n, e in aggregates)} FROM numbered GROUP BY session, {keys}) WHERE {passes}",
            len(groups) > 1)
        made = Relation(name, "table", self.columns_of(groups), self.columns_of(aggregates), source.roots, window=True,
                        partitions=source.partitions)
        made.session = True
        return made

    # --- joins ---
    @staticmethod
    def untimed(left, right):
        """In which feed a row of a held outer join comes is not told."""
        return bool(HELD & (left.roots | right.roots))

    @staticmethod
    def aliased(relation, alias):
        return [Column(c.name, c.type, alias + ".") for c in relation.columns]

    def join_items(self, left, right):
        columns = self.aliased(left, "L") + self.aliased(right, "R")
        picked = self.random.sample(columns, min(len(columns), self.random.randrange(2, 4)))
        return [(f"V{i}", Expr(f"AS_VALUE({c.mill})", c.mill, c.type)) for i, c in enumerate(picked)]

    def same_type(self, left, right):
        pairs = [(a, b) for a in left for b in right if a.type == b.type and a.type not in NO_KEY]
        return self.random.choice(pairs) if pairs else None

    def join_streams(self):
        left, right, name = self.pick("stream"), self.pick("stream"), self.name()
        if left.roots & right.roots or left.partitions != right.partitions or self.untimed(left, right):
            return None
        pair = self.same_type(left.columns, right.columns)
        if pair is None:
            return None
        kind = self.random.choice(["INNER", "LEFT", "RIGHT", "FULL OUTER"])
        held = left.partitions == 1 and self.random.random() < 0.4
        before, after = self.random.choice([0, 1, 5, 20]) * 1000, self.random.choice([0, 2, 5, 20]) * 1000
        grace = 3_600_000 if held else 86_400_000
        within = f"WITHIN ({before} MILLISECONDS, {after} MILLISECONDS)" + (" GRACE PERIOD 1 HOUR" if held else "")
        items = self.join_items(left, right)
        lk, rk = f"L.{pair[0].name}", f"R.{pair[1].name}"
        key = "ROWKEY" if kind == "FULL OUTER" else lk
        on = f"{lk} = {rk} AND R.ts - L.ts BETWEEN {-before} AND {after} AND NOT L.gone AND NOT R.gone"
        shown = ", ".join(f"{e.duck} AS {n}" for n, e in items)
        parts = [f"SELECT greatest(L.feed, R.feed) AS feed, 0 AS seq, greatest(L.ts, R.ts) AS ts, false AS gone, {lk} AS JK, "
                 f"{shown} FROM {left.name} L JOIN {right.name} R ON {on}"]
        for side, own, other, key_own, reach in (("LEFT", "L", "R", lk, after), ("RIGHT", "R", "L", rk, before)):
            if kind not in (side, "FULL OUTER"):
                continue
            missing = f"(SELECT * FROM {(right if own == 'L' else left).name} WHERE false)"
            sources = f"{left.name} L LEFT JOIN {missing} R ON true" if own == "L" else f"{right.name} R LEFT JOIN {missing} L ON true"
            partner = right if own == "L" else left
            if held:
                met = "true"
                over = f" AND (({key_own}) IS NULL OR {own}.ts + {reach + grace} < (SELECT max(ts) FROM (SELECT ts FROM " \
                       f"{left.name} WHERE NOT gone AND {pair[0].name} IS NOT NULL UNION ALL SELECT ts FROM {right.name} " \
                       f"WHERE NOT gone AND {pair[1].name} IS NOT NULL)))"
            else:
                met, over = f"P.feed < {own}.feed", ""
            inner = on.replace(f"{other}.", "P.")
            parts.append(f"SELECT {own}.feed AS feed, 0 AS seq, {own}.ts AS ts, false AS gone, {key_own} AS JK, {shown} "
                         f"FROM {sources} WHERE NOT {own}.gone{over} AND NOT EXISTS "
                         f"(SELECT 1 FROM {partner.name} P WHERE {met} AND {inner})")
        select = ", ".join([f"{key} AS JK"] + [f"{e.mill} AS {n}" for n, e in items])
        join = kind if kind != "INNER" else self.random.choice(["INNER", ""])
        self.create("stream", name, f"SELECT {select} FROM {left.name} L {join} JOIN {right.name} R {within} ON {lk} = {rk}",
                    " UNION ALL ".join(parts))
        roots = left.roots | right.roots | (HELD if held and kind != "INNER" else frozenset())
        return Relation(name, "stream", [Column("JK", pair[0].type)], self.columns_of(items), roots, False,
                        partitions=left.partitions)

    def join_stream_table(self):
        left, right, name = self.pick("stream"), self.pick("table"), self.name()
        if left.roots & right.roots or len(right.keys) != 1 or self.untimed(left, right):
            return None
        if left.partitions != right.partitions:
            return None
        pair = self.same_type(left.columns, right.keys)
        if pair is None:
            return None
        kind = self.random.choice(["INNER", "LEFT"])
        items = self.join_items(left, right)
        shown = ", ".join(f"{e.duck} AS {n}" for n, e in items)
        lk, rk = f"L.{pair[0].name}", f"R.{pair[1].name}"
        select = ", ".join([f"{lk} AS JK"] + [f"{e.mill} AS {n}" for n, e in items])
        state = f"(SELECT s.feed AS now, t.* FROM feeds s JOIN {right.name} t ON t.feed = " \
                f"(SELECT max(feed) FROM feeds p WHERE p.feed < s.feed))"
        self.create("stream", name, f"SELECT {select} FROM {left.name} L {kind} JOIN {right.name} R ON {lk} = {rk}",
                    f"SELECT L.feed AS feed, L.seq AS seq, L.ts AS ts, false AS gone, {lk} AS JK, {shown} "
                    f"FROM {left.name} L {kind} JOIN {state} R ON {lk} = {rk} AND R.now = L.feed WHERE NOT L.gone")
        return Relation(name, "stream", [Column("JK", pair[0].type)], self.columns_of(items), left.roots | right.roots,
                        left.ordered, partitions=left.partitions)

    def join_tables(self):
        left, right, name = self.pick("table"), self.pick("table"), self.name()
        if (left.name == right.name and self.inner is None) or len(left.keys) != 1 or len(right.keys) != 1:
            return None
        if left.keys[0].type != right.keys[0].type or left.partitions != right.partitions:
            return None
        kind = self.random.choice(["INNER", "LEFT", "RIGHT", "FULL OUTER"])
        items = self.join_items(left, right)
        lk, rk = f"L.{left.keys[0].name}", f"R.{right.keys[0].name}"
        key = "ROWKEY" if kind == "FULL OUTER" else lk
        select = ", ".join([f"{key} AS JK"] + [f"{e.mill} AS {n}" for n, e in items])
        shown = ", ".join(f"{e.duck} AS {n}" for n, e in items)
        self.create("table", name, f"SELECT {select} FROM {left.name} L {kind} JOIN {right.name} R ON {lk} = {rk}",
                    f"SELECT coalesce(L.feed, R.feed) AS feed, coalesce({lk}, {rk}) AS JK, {shown} FROM {left.name} L {kind} "
                    f"JOIN {right.name} R ON {lk} = {rk} AND L.feed = R.feed")
        return Relation(name, "table", [Column("JK", left.keys[0].type)], self.columns_of(items), left.roots | right.roots,
                        partitions=left.partitions)

    def join_foreign_key(self):
        left, right, name = self.pick("table"), self.pick("table"), self.name()
        if (left.name == right.name and self.inner is None) or len(left.keys) != 1 or len(right.keys) != 1:
            return None
        pair = self.same_type(left.values, right.keys)
        if pair is None:
            return None
        kind = self.random.choice(["INNER", "LEFT"])
        items = self.join_items(left, right)
        lk, rk = f"L.{pair[0].name}", f"R.{pair[1].name}"
        own = f"L.{left.keys[0].name}"
        select = ", ".join([f"{own} AS JK"] + [f"{e.mill} AS {n}" for n, e in items])
        shown = ", ".join(f"{e.duck} AS {n}" for n, e in items)
        self.create("table", name, f"SELECT {select} FROM {left.name} L {kind} JOIN {right.name} R ON {lk} = {rk}",
                    f"SELECT L.feed AS feed, {own} AS JK, {shown} FROM {left.name} L {kind} JOIN {right.name} R "
                    f"ON {lk} = {rk} AND L.feed = R.feed")
        return Relation(name, "table", [Column("JK", left.keys[0].type)], self.columns_of(items), left.roots | right.roots,
                        partitions=left.partitions)
