"""Random expressions, each as Millrace SQL and as the SQL of the other engine.

Comparisons are two-valued in Millrace: with NULL they are FALSE. Arithmetic on NULL is kept out of conditions, where
it is a failure that makes the whole condition false.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # INT, BIGINT, DOUBLE, DECIMAL, STRING
    prefix: str = ""  # alias of its source in a join

    @property
    def mill(self):
        return self.prefix + self.name


@dataclass(frozen=True)
class Expr:
    mill: str
    duck: str
    type: str


DECIMAL = "DECIMAL(9, 2)"
LIST, MAP, STRUCT = "ARRAY<INT>", "MAP<STRING, INT>", "STRUCT<X INT, Y STRING>"
NESTED = (LIST, MAP, STRUCT)
WORDS = ["a", "b", "ab", "ba", "", "x_y", "Ab"]


def constant(random, type_):
    if type_ == "STRING":
        text = random.choice(WORDS)
        return Expr(f"'{text}'", f"'{text}'", type_)
    if type_ == "DOUBLE":
        number = random.randrange(-8, 9) / 4
        return Expr(f"{number}E0", f"({number}::DOUBLE)", type_)
    if type_ == DECIMAL:
        number = random.randrange(-300, 300) / 100
        return Expr(f"{number:.2f}", f"({number:.2f})", type_)
    number = random.randrange(-3, 8)
    return Expr(str(number), str(number), "INT")


def is_number(type_):
    return type_ != "STRING" and type_ not in NESTED


def of_column(column):
    return Expr(column.mill, column.mill, column.type)


def not_null(expr):
    """The expression with NULL replaced."""
    other = "''" if expr.type == "STRING" else "0E0" if expr.type == "DOUBLE" else "0"
    if expr.type in ("BIGINT", DECIMAL):
        other = f"CAST(0 AS {expr.type})"
    return Expr(f"COALESCE({expr.mill}, {other})", f"coalesce({expr.duck}, {other})", expr.type)


def value(random, columns, depth=2):
    """A value of any type."""
    column = of_column(random.choice(columns))
    if depth == 0 or random.random() < 0.35:
        return column
    if column.type == "STRING":
        return text_value(random, column)
    if column.type in NESTED:
        return nested_value(random, column)
    return number_value(random, columns, column, depth)


def nested_value(random, column):
    """Something out of a list, a map or a struct, or made of it."""
    m, d = column.mill, column.duck
    if column.type == STRUCT:
        return random.choice([
            Expr(f"{m}->X", f"({d}).X", "INT"),
            Expr(f"{m}->Y", f"({d}).Y", "STRING"),
            Expr(f"STRUCT(X := {m}->X, Y := 'new')", f"{{'X': ({d}).X, 'Y': 'new'}}", STRUCT)])
    if column.type == MAP:
        key = random.choice("abc")
        return random.choice([
            Expr(f"{m}['{key}']", f"{d}['{key}']", "INT"),
            Expr(f"FILTER({m}, (x, y) => x = '{key}')", f"map_from_entries(list_filter(map_entries({d}), lambda e: e.key = '{key}'))", MAP)])
    place = random.choice([1, 2, 3, -1])
    return random.choice([
        Expr(f"{m}[{place}]", f"{d}[{place}]", "INT"),
        Expr(f"ARRAY_LENGTH({m})", f"len({d})::INTEGER", "INT"),
        Expr(f"CASE WHEN ARRAY_CONTAINS({m}, 2) THEN 1 ELSE 0 END", f"CASE WHEN list_contains({d}, 2) THEN 1 ELSE 0 END", "INT"),
        Expr(f"ARRAY_MAX({m})", f"list_max({d})", "INT"),
        Expr(f"ARRAY_CONCAT({m}, ARRAY[7])", f"list_concat({d}, [7])", LIST),
        Expr(f"ARRAY_SORT({m}, 'DESC')", f"list_sort({d}, 'DESC', 'NULLS LAST')", LIST),
        Expr(f"FILTER({m}, x => x IS NOT NULL)", f"list_filter({d}, lambda x: x IS NOT NULL)", LIST),
        Expr(f"ARRAY[{m}[1], 5]", f"[{d}[1], 5]", LIST)])


def text_value(random, column):
    pick = random.randrange(6)
    if pick == 0:
        return Expr(f"UCASE({column.mill})", f"upper({column.duck})", "STRING")
    if pick == 1:
        return Expr(f"LEN({column.mill})", f"length({column.duck})", "INT")
    if pick == 2:
        return Expr(f"({column.mill} + '!')", f"({column.duck} || '!')", "STRING")
    if pick == 3:
        return Expr(f"SUBSTRING({column.mill}, 1, 1)", f"substring({column.duck}, 1, 1)", "STRING")
    if pick == 4:
        return Expr(f"TRIM({column.mill})", f"trim({column.duck})", "STRING")
    return not_null(column)


def number_value(random, columns, column, depth):
    numbers = [c for c in columns if is_number(c.type) and c.type != DECIMAL]
    if column.type == DECIMAL or not numbers:  # what arithmetic on it gives is another DECIMAL
        test = condition(random, columns, depth - 1)
        return Expr(f"CASE WHEN {test.mill} THEN {column.mill} END", f"CASE WHEN {test.duck} THEN {column.duck} END", column.type)
    other = of_column(random.choice(numbers)) if random.random() < 0.5 else constant(random, random.choice(["INT", "DOUBLE"]))
    wide = "DOUBLE" if "DOUBLE" in (column.type, other.type) else "BIGINT" if "BIGINT" in (column.type, other.type) else "INT"
    pick = random.randrange(7)
    if pick <= 2:
        op = random.choice("+-*")
        return Expr(f"({column.mill} {op} {other.mill})", f"({column.duck} {op} {other.duck})", wide)
    if pick == 3 and column.type != "DOUBLE":
        divisor = random.choice([2, 3, 7])
        op = random.choice("/%")
        duck = f"({column.duck} // {divisor})" if op == "/" else f"({column.duck} % {divisor})"
        return Expr(f"({column.mill} {op} {divisor})", duck, column.type)
    if pick == 4:
        return Expr(f"ABS({column.mill})", f"abs({column.duck})", column.type)
    if pick == 5:
        test = condition(random, columns, depth - 1)
        return Expr(f"CASE WHEN {test.mill} THEN {column.mill} END", f"CASE WHEN {test.duck} THEN {column.duck} END", column.type)
    return not_null(column)


def condition(random, columns, depth=2):
    if depth > 0 and random.random() < 0.35:
        op = random.choice(["AND", "OR"])
        left, right = condition(random, columns, depth - 1), condition(random, columns, depth - 1)
        return Expr(f"({left.mill} {op} {right.mill})", f"({left.duck} {op} {right.duck})", "BOOLEAN")
    if depth > 0 and random.random() < 0.15:
        inner = condition(random, columns, depth - 1)
        return Expr(f"(NOT {inner.mill})", f"(NOT {inner.duck})", "BOOLEAN")
    return simple_condition(random, of_column(random.choice(columns)))


def nested_condition(random, column):
    if column.type == STRUCT:
        return Expr(f"({column.mill}->X > 1)", f"coalesce(({column.duck}).X > 1, false)", "BOOLEAN")
    if column.type == MAP:
        return Expr(f"({column.mill}['a'] = 1)", f"coalesce({column.duck}['a'] = 1, false)", "BOOLEAN")
    return Expr(f"ARRAY_CONTAINS({column.mill}, 2)", f"coalesce(list_contains({column.duck}, 2), false)", "BOOLEAN")


def simple_condition(random, column):
    if column.type in NESTED:
        return nested_condition(random, column)
    pick = random.randrange(7)
    if pick == 0:
        negated = random.choice(["", "NOT "])
        return Expr(f"({column.mill} IS {negated}NULL)", f"({column.duck} IS {negated}NULL)", "BOOLEAN")
    if pick == 1:
        items = ", ".join(constant(random, "STRING" if column.type == "STRING" else "INT").mill for _ in range(3))
        return Expr(f"({column.mill} IN ({items}))", f"coalesce({column.duck} IN ({items}), false)", "BOOLEAN")
    if pick == 2 and column.type == "STRING":
        safe, pattern = not_null(column), random.choice(["a%", "%b", "_", "%", "x__"])
        return Expr(f"({safe.mill} LIKE '{pattern}')", f"({safe.duck} LIKE '{pattern}')", "BOOLEAN")
    if pick == 2:
        low = random.randrange(-3, 3)
        return Expr(f"({column.mill} BETWEEN {low} AND {low + 3})",
                    f"coalesce({column.duck} BETWEEN {low} AND {low + 3}, false)", "BOOLEAN")
    if pick == 3:
        other = constant(random, column.type)
        return Expr(f"({column.mill} IS DISTINCT FROM {other.mill})", f"({column.duck} IS DISTINCT FROM {other.duck})", "BOOLEAN")
    op = random.choice(["=", "<>", "<", "<=", ">", ">="])
    other = constant(random, column.type)
    return Expr(f"({column.mill} {op} {other.mill})", f"coalesce({column.duck} {op} {other.duck}, false)", "BOOLEAN")
