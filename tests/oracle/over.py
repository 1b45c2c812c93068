"""Random queries with functions over windows, and with DISTINCT."""
from expressions import NESTED, Column, Expr
from relations import Relation

FRAMES = ["ROWS UNBOUNDED PRECEDING", "ROWS 2 PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
          "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"]
RANGES = ["RANGE BETWEEN 2 PRECEDING AND 3 FOLLOWING", "RANGE 5 PRECEDING", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"]


class OverQueries:
    def over_aggregate(self, source):
        """An aggregate, as it is written here and there around its window."""
        column = self.random.choice(source.columns)
        choices = [("COUNT(*)", "count(*)", "", "BIGINT"), (f"COUNT({column.name})", f"count({column.name})", "", "BIGINT")]
        if column.type in ("INT", "BIGINT"):
            choices += [(f"{f}({column.name})", f"coalesce({f}({column.name})", ", 0)", column.type) for f in ("SUM",)]
            choices += [(f"{f}({column.name})", f"{f}({column.name})", "", column.type) for f in ("MIN", "MAX")]
        return self.random.choice(choices)

    def over_function(self, source):
        """A function that is there for windows only: that, its type, and whether equal rows count as one place."""
        column = self.random.choice(source.columns)
        x = column.name
        choices = [("ROW_NUMBER()", "BIGINT", False), ("RANK()", "BIGINT", True), ("DENSE_RANK()", "BIGINT", True),
                   ("NTILE(3)", "BIGINT", False), ("CUME_DIST()", "DOUBLE", True), ("PERCENT_RANK()", "DOUBLE", True)]
        if column.type not in NESTED:
            choices += [(f"LAG({x})", column.type, False), (f"LEAD({x}, 2)", column.type, False), (f"LAG({x}, 1, {x})", column.type, False),
                        (f"FIRST_VALUE({x})", column.type, False), (f"NTH_VALUE({x}, 2)", column.type, False)]
        return self.random.choice(choices)

    def over_call(self, source, by, of, mill, duck):
        peers = duck[:duck.index(",")]  # without what tells equal rows apart
        window = f"OVER (PARTITION BY {by.name} ORDER BY"
        if self.random.random() < 0.5:
            function, type_, equal = self.over_function(source)
            frame = " ROWS UNBOUNDED PRECEDING" if function.startswith(("FIRST_VALUE", "NTH_VALUE")) else ""
            return Expr(f"{function} {window} {mill}{frame})", f"{function} {window} {peers if equal else duck}{frame})", type_)
        before, duck_before, duck_after, type_ = self.over_aggregate(source)
        if self.random.random() < 0.4:
            frame, order = self.random.choice(FRAMES), duck
        elif of.type in ("INT", "BIGINT") and self.random.random() < 0.6:
            frame, order = self.random.choice(RANGES), peers
        else:
            frame, order = "", peers
        return Expr(f"{before} {window} {mill} {frame})", f"{duck_before} {window} {order} {frame}){duck_after}", type_)

    def over_table(self):
        source, name = self.pick("table"), self.name()
        keys = [c.name for c in source.keys]
        made = self.rank(source, ", ".join(keys))
        if made is None or source.window:
            return None
        by, duck, mill, _ = made
        of = next(c for c in source.columns if c.name == duck.split(" ")[0])
        calls = [(f"V{i}", self.over_call(source, by, of, mill, duck)) for i in range(self.random.randrange(1, 4))]
        in_feed = [(n, e.duck.replace("PARTITION BY ", "PARTITION BY feed, ")) for n, e in calls]
        self.create("table", name, f"SELECT {', '.join(keys + [f'{e.mill} AS {n}' for n, e in calls])} FROM {source.name}",
                    f"SELECT feed, {', '.join(keys + [f'{d} AS {n}' for n, d in in_feed])} FROM {source.name}", len(keys) > 1)
        return Relation(name, "table", source.keys, self.columns_of(calls), source.roots, partitions=source.partitions)

    def over_stream(self):
        """By arrival, since rows that come out of order are answered at once."""
        source, name = self.pick("stream"), self.name()
        if not source.ordered or source.partitions != 1:
            return None
        by, x = self.random.choice(source.columns), self.random.choice(source.columns)
        if by.type in NESTED or by.type == "DOUBLE" or x.type in NESTED:
            return None
        calls = [(f"LAG({x.name}, 2)", f"lag({x.name}, 2)", "", x.type), ("COUNT(*)", "count(*)", "", "BIGINT")]
        if x.type in ("INT", "BIGINT"):
            calls += [(f"SUM({x.name})", f"coalesce(sum({x.name})", ", 0)", x.type), (f"MAX({x.name})", f"max({x.name})", "", x.type)]
        function, duck, after, type_ = self.random.choice(calls)
        frame = "" if function.startswith("LAG") else self.random.choice(
            ["ROWS UNBOUNDED PRECEDING", "ROWS 2 PRECEDING", "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING"])
        keys = [c.name for c in source.keys]
        self.create(
            "stream", name, f"SELECT {', '.join(keys)}, {function} OVER (PARTITION BY {by.name} {frame}) AS V0 FROM {source.name}",
            f"SELECT feed, seq, ts, gone, {', '.join(keys)}, {duck} OVER (PARTITION BY {by.name} ORDER BY seq {frame}){after} AS V0 "
            f"FROM {source.name} WHERE NOT gone")
        return Relation(name, "stream", source.keys, [Column("V0", type_)], source.roots, source.ordered, partitions=source.partitions)

    def distinct_rows(self):
        source, name = self.pick(self.random.choice(["stream", "table"])), self.name()
        if source.window:
            return None
        a, b = self.random.choice(source.columns), self.random.choice(source.columns)
        if any(c.type in (*NESTED, "DOUBLE") or c.type.startswith("DECIMAL") for c in (a, b)):
            return None
        rows = f"(SELECT DISTINCT feed, {a.name} AS A, {b.name} AS B FROM {source.name})" if source.kind == "table" else \
            f"(SELECT DISTINCT f.feed AS feed, {a.name} AS A, {b.name} AS B FROM feeds f JOIN {source.name} r ON r.feed <= f.feed WHERE NOT gone)"
        self.create("table", name, f"SELECT A AS G0, COUNT(*) AS N FROM (SELECT DISTINCT {a.name} AS A, {b.name} AS B FROM {source.name}) q "
                    f"GROUP BY A HAVING COUNT(*) > 0", f"SELECT feed, A AS G0, count(*) AS N FROM {rows} WHERE A IS NOT NULL GROUP BY feed, A")
        return Relation(name, "table", [Column("G0", a.type)], [Column("N", "BIGINT")], source.roots, partitions=source.partitions)
