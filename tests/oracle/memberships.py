"""IN and EXISTS in WHERE of queries that go on: over tables, and over streams that meet a table."""
from relations import Relation


class MembershipQueries:
    def membership_of(self, source, table, alias):
        """A condition on rows of the source with a subquery over the table; `{t}` is the table's content in the other language."""
        pair = self.same_type([c for c in source.columns if c.type != "DOUBLE"], table.columns)
        if pair is None:
            return None
        where, test = self.where(table.columns, 0.5)
        negated = self.random.choice(["", "NOT "])
        if self.random.random() < 0.5:
            return (f"{pair[0].name} {negated}IN (SELECT {pair[1].name} FROM {table.name}{where})",
                    f"{negated}coalesce({alias}.{pair[0].name} IN (SELECT {pair[1].name} FROM {{t}} M WHERE {test}), false)")
        inner = where + " AND " if where else " WHERE "
        return (f"{negated}EXISTS (SELECT * FROM {table.name} M{inner}M.{pair[1].name} = L.{pair[0].name})",
                f"{negated}EXISTS (SELECT * FROM {{t}} M WHERE {test} AND M.{pair[1].name} = {alias}.{pair[0].name})")

    def membership_query(self):
        kind = self.random.choice(["stream", "table"])
        source, table, name = self.pick(kind), self.random.choice(self.world.of_kind("table")), self.name()
        if source.name == table.name or self.untimed(source, table):
            return None
        if kind == "stream" and source.roots & table.roots:
            return None
        test = self.membership_of(source, table, "L")
        if test is None:
            return None
        items = self.items(source)
        keys = [c.name for c in source.keys]
        mill = ", ".join(keys + [f"{e.mill} AS {n}" for n, e in items])
        duck = ", ".join(keys + [f"{e.duck} AS {n}" for n, e in items])
        select = f"SELECT {mill} FROM {source.name} L WHERE {test[0]}"
        if kind == "table":
            content = f"(SELECT * FROM {table.name} X WHERE X.feed = L.feed)"
            self.create(kind, name, select, f"SELECT feed, {duck} FROM {source.name} L WHERE {test[1].format(t=content)}",
                        len(keys) > 1)
        else:
            content = f"(SELECT * FROM {table.name} X WHERE X.feed = (SELECT max(feed) FROM feeds p WHERE p.feed < L.feed))"
            self.create(kind, name, select, f"SELECT feed, seq, ts, gone, {duck} FROM {source.name} L "
                                            f"WHERE NOT gone AND {test[1].format(t=content)}")
        return Relation(name, kind, source.keys, self.columns_of(items), source.roots | table.roots, False,
                        partitions=source.partitions)
