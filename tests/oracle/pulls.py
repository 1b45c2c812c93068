"""Pull queries over what there is at the end: joins, queries in FROM, UNION and its like, IN, EXISTS, subqueries as values,
functions over windows, several sets of groups, first rows, windows of streams, the nearest rows, rows of their own."""
from expressions import WORDS, Column, condition, is_number

PLAIN = ("INT", "BIGINT", "DOUBLE", "STRING")


class PullQueries:
    def add_contents(self):
        """The rows of every relation as a pull query sees them."""
        self.contents = []
        for relation in self.world.relations:
            if relation.window or any(c.type not in PLAIN for c in relation.keys):
                continue
            names = ", ".join(c.name for c in relation.columns)
            which = "NOT gone" if relation.kind == "stream" else f"feed = {self.world.last_feed}"
            self.db.execute(f"CREATE VIEW pull_{relation.name} AS SELECT {names} FROM {relation.name} WHERE {which}")
            self.contents.append(relation)

    def indexes(self, made):
        """Statements that index some of the tables which queries keep."""
        early, late = [], []
        for relation in made:
            columns = [c.name for c in relation.columns if c.type in ("INT", "BIGINT", "STRING")]
            if relation not in self.contents or relation.kind != "table" or not columns or self.random.random() < 0.6:
                continue
            chosen = self.random.sample(columns, min(len(columns), self.random.randrange(1, 3)))
            statement = f"CREATE INDEX BY_{relation.name} ON {relation.name} ({', '.join(chosen)});"
            self.random.choice([early, late]).append(statement)
        return early, late

    def source(self, alias):
        """A relation or a query in FROM, in both languages, and its columns under the alias."""
        relation = self.random.choice(self.contents)
        plain = [c for c in relation.columns if c.type in PLAIN]
        mill, duck = relation.name, f"pull_{relation.name}"
        if self.random.random() < 0.25:
            where = condition(self.random, plain)
            chosen = self.random.sample(plain, self.random.randrange(1, len(plain) + 1))
            names = ", ".join(c.name for c in chosen)
            mill = f"(SELECT {names} FROM {mill} WHERE {where.mill})"
            duck = f"(SELECT {names} FROM {duck} WHERE {where.duck})"
            plain = chosen
        return f"{mill} {alias}", f"{duck} {alias}", [Column(c.name, c.type, alias + ".") for c in plain]

    def same(self, left, right):
        """Two columns that may be compared."""
        pairs = [(l, r) for l in left for r in right if l.type == r.type or (is_number(l.type) and is_number(r.type))]
        return self.random.choice(pairs) if pairs else None

    def shared(self, left, right):
        """A column that both sides have, with one type."""
        both = [r for r in right for l in left if l.name == r.name and l.type == r.type]
        return self.random.choice(both) if both else None

    def joined(self):
        mill, duck, columns = self.source("A")
        for alias in ("B", "C")[:self.random.choice([0, 0, 1, 1, 2])]:
            right_mill, right_duck, right = self.source(alias)
            pair = self.same(columns, right)
            shared = self.shared(columns, right) if alias == "B" else None
            if shared and self.random.random() < 0.2:
                kind = self.random.choice(["", "LEFT ", "RIGHT ", "FULL "])
                tail = f"{kind}JOIN {{}} USING ({shared.name})"
                mill, duck = f"{mill} {tail.format(right_mill)}", f"{duck} {tail.format(right_duck)}"
                kept = [c for c in columns + right if c.name != shared.name]
                return mill, duck, [Column(shared.name, shared.type), *kept]
            if pair is None or self.random.random() < 0.05:
                mill, duck = f"{mill} CROSS JOIN {right_mill}", f"{duck} CROSS JOIN {right_duck}"
            else:
                kind = self.random.choice(["", "LEFT ", "RIGHT ", "FULL "])
                filtered = self.filtered_side(kind, alias, duck, right_duck, columns, right)
                on_mill = on_duck = f"{pair[0].mill} = {pair[1].mill}"
                if kind != "FULL " and self.random.random() < 0.3:
                    more = condition(self.random, columns + right, 1)
                    on_mill, on_duck = f"{on_mill} AND {more.mill}", f"{on_duck} AND {more.duck}"
                if filtered:
                    on_mill, duck, right_duck = f"{on_mill} AND {filtered[0]}", filtered[1], filtered[2]
                mill, duck = f"{mill} {kind}JOIN {right_mill} ON {on_mill}", f"{duck} {kind}JOIN {right_duck} ON {on_duck}"
            columns = columns + right
        return mill, duck, columns

    def filtered_side(self, kind, alias, left_duck, right_duck, left, right):
        """A subquery in ON that looks at a side of which not all rows stay, and both sides as DuckDB has them then."""
        sides = {"": [True, False], "LEFT ": [True], "RIGHT ": [False]}.get(kind, [])
        sides = [of_right for of_right in sides if of_right or alias == "B"]
        if not sides or self.random.random() > 0.2:
            return None
        of_right = self.random.choice(sides)
        subquery = self.membership(right if of_right else left)
        if subquery is None:
            return None
        side = right_duck if of_right else left_duck
        kept = f"(SELECT * FROM {side} WHERE {subquery[1]}) {alias if of_right else 'A'}"
        return subquery[0], left_duck if of_right else kept, kept if of_right else right_duck

    def windowed_pull(self):
        """Groups in windows over a stream; null: there is no stream."""
        streams = [r for r in self.contents if r.kind == "stream"]
        if not streams:
            return None
        relation = self.random.choice(streams)
        plain = [c for c in relation.columns if c.type in PLAIN]
        by, test = self.random.choice(plain), condition(self.random, plain)
        size = self.random.choice([500, 1000, 3000])
        form = self.random.choice([f"TUMBLING (SIZE {size}", f"HOPPING (SIZE {3 * size} MILLISECONDS, ADVANCE BY {size}", f"SESSION ({size}"])
        mill = f"SELECT {by.mill} AS V0, WINDOWSTART AS V1, WINDOWEND AS V2, COUNT(*) AS N FROM {relation.name} " \
               f"WINDOW {form} MILLISECONDS) WHERE {test.mill} GROUP BY {by.mill}"
        rows = f"(SELECT {by.mill} AS V0, ts FROM {relation.name} WHERE NOT gone AND {test.duck} AND {by.mill} IS NOT NULL)"
        if form.startswith("SESSION"):
            duck = f"WITH F AS (SELECT *, CASE WHEN ts - lag(ts) OVER (PARTITION BY V0 ORDER BY ts) <= {size} THEN 0 ELSE 1 END AS b " \
                   f"FROM {rows}), S AS (SELECT *, sum(b) OVER (PARTITION BY V0 ORDER BY ts) AS s FROM F) " \
                   "SELECT V0, min(ts), max(ts), count(*) FROM S GROUP BY V0, s"
        else:
            windows = 1 if form.startswith("TUMBLING") else 3
            duck = f"SELECT V0, w, w + {windows * size}, count(*) FROM (SELECT V0, (ts // {size} - i) * {size} AS w " \
                   f"FROM {rows}, range({windows}) AS r(i)) WHERE w >= 0 GROUP BY V0, w"
        return mill, self.db.execute(duck).fetchall()

    def nearest_pull(self):
        """Each row and the nearest of its partners."""
        left_mill, left_duck, left = self.source("A")
        right_mill, right_duck, right = self.source("B")
        pair = self.same(left, right)
        times = [(l, r) for l in left for r in right if is_number(l.type) and l.type == r.type]
        if pair is None or not times:
            return None
        time, sign = self.random.choice(times), self.random.choice([">=", ">", "<=", "<"])
        kind = self.random.choice(["", "LEFT "])
        shown = ", ".join(f"{c.mill} AS V{i}" for i, c in enumerate([*left, pair[1], time[1]]))
        tail = f"{kind}JOIN {{}} ON {pair[0].mill} = {pair[1].mill} AND {time[0].mill} {sign} {time[1].mill}"
        return (f"SELECT {shown} FROM {left_mill} ASOF {tail.format(right_mill)}",
                self.db.execute(f"SELECT {shown} FROM {left_duck} ASOF {tail.format(right_duck)}").fetchall())

    def values_pull(self):
        """Rows that the query says itself, joined with a relation."""
        mill, duck, columns = self.source("A")
        column = self.random.choice([c for c in columns if c.type in ("INT", "STRING")] or [None])
        if column is None:
            return None
        own = self.random.sample(WORDS, 2) if column.type == "STRING" else self.random.sample(range(-5, 20), 3)
        rows = ", ".join(f"('{v}', {i})" if column.type == "STRING" else f"({v}, {i})" for i, v in enumerate(own))
        shown = ", ".join(["W.X AS V0", "W.Y AS V1"] + [f"{c.mill} AS U{i}" for i, c in enumerate(columns)])
        tail = f"AS W (X, Y) LEFT JOIN {{}} ON {column.mill} = W.X"
        return (f"SELECT {shown} FROM VALUES {rows} {tail.format(mill)}",
                self.db.execute(f"SELECT {shown} FROM (VALUES {rows}) {tail.format(duck)}").fetchall())

    def membership(self, columns):
        """A condition with a subquery."""
        mill, duck, inner = self.source("S")
        pair = self.same(columns, inner)
        if pair is None:
            return None
        own = condition(self.random, inner, 1)
        where_mill, where_duck = own.mill, own.duck
        form = self.random.choice(["in", "exists", "value", "value"])
        if self.random.random() < 0.5 or form == "exists":
            other = self.same(columns, inner)
            sign = "=" if form == "value" else self.random.choice(["=", "=", "<"])
            where_mill += f" AND {other[0].mill} {sign} {other[1].mill}"
            where_duck += f" AND coalesce({other[0].mill} {sign} {other[1].mill}, false)"
        negated = self.random.choice(["", "NOT "])
        if form == "in":
            item = f"SELECT {pair[1].mill} FROM"
            return (f"{pair[0].mill} {negated}IN ({item} {mill} WHERE {where_mill})",
                    f"{negated}coalesce({pair[0].mill} IN ({item} {duck} WHERE {where_duck}), false)")
        if form == "exists":
            return (f"{negated}EXISTS (SELECT * FROM {mill} WHERE {where_mill})",
                    f"{negated}EXISTS (SELECT * FROM {duck} WHERE {where_duck})")
        call = self.random.choice(["MIN", "MAX", "COUNT"])
        left = next((c for c in columns if is_number(c.type)), None)
        right = next((c for c in inner if is_number(c.type)), None)
        if left is None or right is None:
            return None
        return (f"{left.mill} <= (SELECT {call}({right.mill}) FROM {mill} WHERE {where_mill})",
                f"coalesce({left.mill} <= (SELECT {call}({right.mill}) FROM {duck} WHERE {where_duck}), false)")

    def select(self, width=None):
        mill, duck, columns = self.joined()
        test = condition(self.random, columns)
        where_mill, where_duck = test.mill, test.duck
        qualified = all(c.prefix for c in columns)  # else a subquery may mean its own column
        subquery = self.membership(columns) if self.random.random() < 0.5 and qualified else None
        if subquery:
            word = self.random.choice(["AND", "OR"])
            where_mill, where_duck = f"({where_mill} {word} {subquery[0]})", f"({where_duck} {word} {subquery[1]})"
        width = width or self.random.randrange(1, 4)
        if width == 2 and self.random.random() < 0.4:
            return self.grouped_pull(mill, duck, columns, where_mill, where_duck)
        items = [self.random.choice(columns) for _ in range(width)]
        types = [c.type for c in items]
        shown = ", ".join(f"{c.mill} AS V{i}" for i, c in enumerate(items))
        distinct = "DISTINCT " if self.random.random() < 0.2 else ""
        return (f"SELECT {distinct}{shown} FROM {mill} WHERE {where_mill}",
                f"SELECT {distinct}{shown} FROM {duck} WHERE {where_duck}", types)

    def grouped_pull(self, mill, duck, columns, where_mill, where_duck):
        by, of = self.random.choice(columns), self.random.choice([c for c in columns if is_number(c.type)] or columns)
        call = self.random.choice(["COUNT", "MIN", "MAX", "SUM"] if is_number(of.type) else ["COUNT"])
        having = self.random.choice(["", " HAVING COUNT(*) > 1"])
        kept = f" AND {by.mill} IS NOT NULL"  # a NULL makes no group
        head = f"SELECT {by.mill} AS V0, {call}({of.mill}) AS V1 FROM"
        tail = f" GROUP BY {by.mill}{having}"
        number = "BIGINT" if call == "COUNT" else of.type
        other = head.replace(f"SUM({of.mill})", f"coalesce(SUM({of.mill}), 0)")  # of nothing but NULLs it is 0 in Millrace
        return f"{head} {mill} WHERE {where_mill}{tail}", f"{other} {duck} WHERE {where_duck}{kept}{tail}", [by.type, number]

    def pull(self):
        """A query, its rows as DuckDB has them, and whether they are in order."""
        other = self.random.choice([self.windowed_pull, self.nearest_pull, self.values_pull] + [None] * 9)
        made = other() if other else None
        if made:
            return made
        mill, duck, types = self.select()
        shape = self.random.randrange(9)
        keys = ", ".join(f"V{i}" for i in range(len(types)))
        if shape == 0:
            other_mill, other_duck, other = self.select(len(types))
            if len(other) == len(types) and all(a == b for a, b in zip(types, other)):
                operation = self.random.choice(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
                mill, duck = f"{mill} {operation} {other_mill}", f"{duck} {operation} {other_duck}"
        elif shape == 1 and is_number(types[0]):
            mill = f"WITH Q AS ({mill}) SELECT V0, COUNT(*) AS N FROM Q WHERE V0 > 0 GROUP BY V0"
            duck = f"WITH Q AS ({duck}) SELECT V0, COUNT(*) AS N FROM Q WHERE V0 > 0 GROUP BY V0"
            types = [types[0], "BIGINT"]
        elif shape == 6:
            tail = f"SELECT DISTINCT ON (V0) {keys} FROM Q"
            duck = f"WITH Q AS ({duck}) {tail} ORDER BY {keys}"
            return f"WITH Q AS ({mill}) {tail} ORDER BY {keys}", self.db.execute(duck).fetchall()
        elif shape == 7 and len(types) > 1:
            sets = self.random.choice(["ROLLUP (V0, V1)", "CUBE (V0, V1)", "GROUPING SETS ((V1), (V0, V1))"])
            tail = f"SELECT V0, V1, COUNT(*) AS N FROM Q WHERE V0 IS NOT NULL AND V1 IS NOT NULL GROUP BY {sets}"
            return f"WITH Q AS ({mill}) {tail}", self.db.execute(f"WITH Q AS ({duck}) {tail}").fetchall()
        elif shape == 8:
            frame = self.random.choice(["", f" ORDER BY {keys}"])
            call = self.random.choice(["COUNT(*)", "MIN(V0)", "MAX(V0)", "COUNT(V0)"])
            last = self.random.choice([f"V{len(types) - 1}", "V0"])
            tail = f"SELECT {keys}, {call} OVER (PARTITION BY {last}{frame}) AS W FROM Q"
            return f"WITH Q AS ({mill}) {tail}", self.db.execute(f"WITH Q AS ({duck}) {tail}").fetchall()
        elif shape == 2:
            rank = self.random.choice(["RANK()", "DENSE_RANK()"])
            tail = f"SELECT V0, {rank} OVER (PARTITION BY V0 ORDER BY {keys}) AS R FROM Q QUALIFY R <= 2"
            mill, duck = f"WITH Q AS ({mill}) {tail}", f"WITH Q AS ({duck}) {tail}"
            types = [types[0], "BIGINT"]
        ordered = self.random.random() < 0.4
        if ordered:
            names = ["V0", "N"] if shape == 1 and "COUNT(*) AS N FROM Q" in mill else \
                ["V0", "R"] if shape == 2 else [f"V{i}" for i in range(len(types))]
            signs = [self.random.choice(["", " DESC"]) for _ in names]
            by = ", ".join(n + s for n, s in zip(names, signs))
            duck_by = ", ".join(n + (" DESC NULLS FIRST" if s else " NULLS LAST") for n, s in zip(names, signs))
            page = self.random.choice(["", " LIMIT 3", " LIMIT 2 OFFSET 1"])
            mill, duck = f"{mill} ORDER BY {by}{page}", f"SELECT * FROM ({duck}) ORDER BY {duck_by}{page}"
        return mill, self.db.execute(duck).fetchall()
