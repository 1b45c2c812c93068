"""Queries within queries: one that is no statement of its own stands in FROM, or WITH names it; and UNION ALL."""
import re

from expressions import Column
from relations import Relation


class NestedQueries:
    held = None  # where the next statement's text goes instead of into the script
    inner = None  # the relation that the next query is to read, and its text

    def create(self, kind, name, select, duck, key_format=False):
        self.db.execute(f"CREATE TABLE {name} AS {duck}")
        if self.held is not None:
            self.held.append(select)
            return
        if self.inner is not None:
            select = self.nest(select, *self.inner)
        with_ = " WITH (KEY_FORMAT='JSON')" if key_format else ""
        self.world.statements.append(f"CREATE {kind.upper()} {name}{with_} AS {select};")

    def nest(self, select, relation, text):
        """The query with `text` where it reads `relation`."""
        if self.random.random() < 0.4:
            return f"WITH {relation.name} AS ({text}) {select}"

        def replace(found):
            return f"{found[1]} ({text}){' ' + relation.name if found[2] is None else found[2]}"
        return re.sub(rf"\b(FROM|JOIN) {relation.name}( [LR]\b)?", replace, select)

    def pick(self, kind):
        if self.inner is not None and self.inner[0].kind == kind:
            return self.inner[0]
        return self.random.choice(self.world.of_kind(kind))

    def nested(self):
        makers = [self.project_stream, self.project_stream, self.project_table, self.partition_by,
                  self.aggregate_stream, self.aggregate_stream, self.aggregate_table, self.union_all, self.join_streams]
        self.held = []
        made = self.random.choice(makers)()
        texts, self.held = self.held, None
        if made is None:
            return None
        self.inner = (made, texts[0])
        # UNION ALL and joins read it twice.
        outer = [self.project_stream, self.aggregate_stream, self.partition_by, self.tumbling_or_hopping, self.union_all] \
            if made.kind == "stream" else [self.project_table, self.aggregate_table, self.aggregate_table, self.join_tables,
                                           self.join_tables, self.join_foreign_key]
        result = self.random.choice(outer)()
        self.inner = None
        return result

    def united_columns(self, left, right):
        """A value column of each that UNION ALL may unite, where their keys are alike."""
        if len(left.keys) != 1 or len(right.keys) != 1 or left.keys[0].type != right.keys[0].type:
            return None
        return self.same_type(left.values, right.values)

    def union_all(self):
        left, right = self.pick("stream"), self.pick("stream")
        pair = self.united_columns(left, right)
        if pair is None:
            return None
        name, parts, mills = self.name(), [], []
        for source, column in ((left, pair[0]), (right, pair[1])):
            where, test = self.where(source.columns, 0.3)
            passes = f"(NOT gone AND {test})" if where else "true"
            mills.append(f"SELECT {source.keys[0].name} AS UK, {column.name} AS V0 FROM {source.name}{where}")
            parts.append(f"SELECT feed, seq, ts, gone, {source.keys[0].name} AS UK, CASE WHEN gone THEN NULL ELSE {column.name} "
                         f"END AS V0 FROM {source.name} WHERE {passes}")
        self.create("stream", name, " UNION ALL ".join(mills), " UNION ALL ".join(parts))
        return Relation(name, "stream", [Column("UK", left.keys[0].type)], [Column("V0", pair[0].type)],
                        left.roots | right.roots, False, partitions=left.partitions)
