"""UNION ALL of tables, UNION of rows, elements of lists as rows, subqueries as values, and versions of a table's rows."""
from expressions import LIST, NESTED, Column
from relations import COLUMNS, Relation


class UnitedQueries:
    """Part of Builder."""

    def union_tables(self):
        left, right = self.pick("table"), self.random.choice(self.world.of_kind("table"))
        pair = self.united_columns(left, right)
        if pair is None:
            return None
        name, parts, mills = self.name(), [], []
        for number, (source, column) in enumerate(((left, pair[0]), (right, pair[1])), 1):
            where, test = self.where(source.columns, 0.5)
            mills.append(f"SELECT {source.keys[0].name} AS UK, {column.name} AS V0 FROM {source.name}{where}")
            parts.append(f"SELECT feed, {source.keys[0].name} AS UK, {number} AS BRANCH, {column.name} AS V0 "
                         f"FROM {source.name} WHERE {test}")
        self.create("table", name, " UNION ALL ".join(mills), " UNION ALL ".join(parts))
        return Relation(name, "table", [Column("UK", left.keys[0].type), Column("BRANCH", "INT")],
                        [Column("V0", pair[0].type)], left.roots | right.roots, partitions=left.partitions)

    def union_distinct(self):
        kind = self.random.choice(["stream", "table"])
        left, right = self.pick(kind), self.random.choice(self.world.of_kind(kind))
        pair = None if left.window or right.window else self.united_columns(left, right)
        if pair is None or pair[0].type in (*NESTED, "DOUBLE") or pair[0].type.startswith("DECIMAL"):
            return None
        name, parts, mills = self.name(), [], []
        for source, column in ((left, pair[0]), (right, pair[1])):
            where, test = self.where(source.columns, 0.3)
            mills.append(f"SELECT {source.keys[0].name} AS UK, {column.name} AS V0 FROM {source.name}{where}")
            came = f"{source.name} r" if kind == "table" else f"feeds f JOIN {source.name} r ON r.feed <= f.feed"
            passes = test if kind == "table" else f"NOT gone AND {test}"
            parts.append(f"SELECT {'r' if kind == 'table' else 'f'}.feed AS feed, {source.keys[0].name} AS UK, {column.name} AS V0 "
                         f"FROM {came} WHERE {passes}")
        rows = " UNION ".join(parts)
        self.create("table", name, f"SELECT UK AS G0, COUNT(*) AS N FROM ({' UNION '.join(mills)}) q GROUP BY UK HAVING COUNT(*) > 0",
                    f"SELECT feed, UK AS G0, count(*) AS N FROM ({rows}) WHERE UK IS NOT NULL GROUP BY feed, UK")
        return Relation(name, "table", [Column("G0", left.keys[0].type)], [Column("N", "BIGINT")], left.roots | right.roots,
                        partitions=left.partitions)

    def unnest(self):
        kind = self.random.choice(["stream", "table"])
        source, name = self.pick(kind), self.name()
        lists = [c for c in source.columns if c.type == LIST]
        if not lists or any(c.name in ("N", "X") for c in source.columns):
            return None
        of, outer = self.random.choice(lists).name, self.random.random() < 0.5
        where, test = self.where(source.columns, 0.4)
        if self.random.random() < 0.3 and not outer:
            where, test = (f"{where} AND" if where else " WHERE") + " X > 1", f"{test} AND X > 1"
        empty = f"coalesce(len({of}), 0) = 0"
        elements = f"CASE WHEN {empty} THEN [NULL]::INTEGER[] ELSE {of} END" if outer else of
        numbers = f"range(1, len({of}) + 1)"
        numbers = f"CASE WHEN {empty} THEN [NULL]::BIGINT[] ELSE {numbers} END" if outer else numbers
        keys = [c.name for c in source.keys]
        join = f"LEFT JOIN UNNEST(L.{of}) WITH ORDINALITY AS U (X, N) ON TRUE" if outer \
            else f"CROSS JOIN UNNEST(L.{of}) WITH ORDINALITY AS U (X, N)"
        shown = ", ".join([f"L.{k} AS {k}" for k in keys] + ["U.N AS N", "X AS V0"])
        at = "feed" if kind == "table" else "feed, seq, ts, gone"
        rows = f"SELECT *, unnest({elements}) AS X, unnest({numbers}) AS NUMBER FROM {source.name}" + \
            ("" if kind == "table" else " WHERE NOT gone")
        self.create(kind, name, f"SELECT {shown} FROM {source.name} L {join}{where}",
                    f"SELECT {at}, {', '.join(keys)}, NUMBER AS N, X AS V0 FROM ({rows}) WHERE {test}")
        number = Column("N", "BIGINT")
        own, values = (source.keys + [number], []) if kind == "table" else (source.keys, [number])
        return Relation(name, kind, own, values + [Column("V0", "INT")], source.roots, False, partitions=source.partitions)

    def value_of_table(self):
        source, table, name = self.pick("stream"), self.random.choice(self.world.of_kind("table")), self.name()
        numbers = [c for c in table.columns if c.type in ("INT", "BIGINT")]
        if source.roots & table.roots or self.untimed(source, table) or not numbers:
            return None
        column, call = self.random.choice(numbers), self.random.choice(["MAX", "MIN"])
        where, test = self.where(table.columns, 0.4)
        keys, shown = [c.name for c in source.keys], self.random.choice(source.columns)
        mill = f"(SELECT {call}({column.name}) FROM {table.name}{where})"
        duck = f"(SELECT {call}({column.name}) FROM {table.name} X WHERE {test} AND X.feed = " \
               f"(SELECT max(feed) FROM feeds p WHERE p.feed < L.feed))"
        own = [c for c in source.columns if c.type in ("INT", "BIGINT")]
        passes, condition = "", "true"
        if own and self.random.random() < 0.5:
            of = self.random.choice(own).name
            passes, condition = f" WHERE {of} > {mill}", f"coalesce({of} > {duck}, false)"
        self.create("stream", name, f"SELECT {', '.join(keys)}, AS_VALUE({shown.name}) AS V0, {mill} AS V1 FROM {source.name}{passes}",
                    f"SELECT feed, seq, ts, gone, {', '.join(keys)}, {shown.name} AS V0, {duck} AS V1 FROM {source.name} L "
                    f"WHERE NOT gone AND {condition}")
        return Relation(name, "stream", source.keys, [Column("V0", shown.type), Column("V1", column.type)],
                        source.roots | table.roots, False, partitions=source.partitions)

    def join_as_of(self):
        left, base, name = self.pick("stream"), self.random.choice(["T0", "T1"]), self.name()
        if base in left.roots or left.partitions != self.world.partitions or "held" in left.roots:
            return None
        pair = self.same_type(left.columns, [Column("K", "STRING")])
        if pair is None:
            return None
        versions = f"H{base}"
        if versions not in self.declared:
            self.declared.add(versions)
            columns = ", ".join(f"{c.name} {c.type}" for c in COLUMNS)
            self.world.statements.append(f"CREATE TABLE {versions} (K STRING PRIMARY KEY, {columns}) WITH (KAFKA_TOPIC='{base.lower()}', "
                                         f"VALUE_FORMAT='JSON', PARTITIONS={self.world.partitions}, HISTORY='1 DAY');")
        kind, back = self.random.choice(["INNER", "LEFT"]), self.random.choice([0, 0, 2_000])
        lk, shown, of = f"L.{pair[0].name}", self.random.choice(left.columns).name, self.random.choice(COLUMNS)
        time = f"L.ROWTIME - {back}" if back else "L.ROWTIME"
        met = f"(SELECT l.rid AS rid, t.* FROM (SELECT row_number() OVER () AS rid, * FROM {left.name}) l JOIN {base}_log t " \
              f"ON t.feed < l.feed AND t.ts <= l.ts - {back} AND t.K = l.{pair[0].name} " \
              f"QUALIFY row_number() OVER (PARTITION BY l.rid ORDER BY t.ts DESC, t.seq DESC) = 1)"
        self.create("stream", name,
                    f"SELECT {lk} AS JK, AS_VALUE(L.{shown}) AS V0, R.{of.name} AS V1 FROM {left.name} L {kind} JOIN {versions} "
                    f"FOR SYSTEM_TIME AS OF {time} AS R ON {lk} = R.K",
                    f"SELECT L.feed AS feed, L.seq AS seq, L.ts AS ts, false AS gone, {lk} AS JK, L.{shown} AS V0, R.{of.name} AS V1 "
                    f"FROM (SELECT row_number() OVER () AS rid, * FROM {left.name}) L {kind} JOIN {met} R "
                    f"ON L.rid = R.rid AND NOT R.gone WHERE NOT L.gone")
        return Relation(name, "stream", [Column("JK", "STRING")],
                        [Column("V0", next(c.type for c in left.columns if c.name == shown)), Column("V1", of.type)],
                        left.roots | {base}, left.ordered, partitions=left.partitions)
