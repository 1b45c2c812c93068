#include <array>

#include "parser/ast/format.h"
#include "parser/ast/printer.h"

namespace millrace::inline parser::ast {

void Printer::duration(const Duration& duration) {
  text(std::to_string(duration.count));
  text(" ");
  text(duration.unit);
}

void Printer::item(const SelectItem& item) {
  if (const auto* plain = std::get_if<SelectExpr>(&item)) {
    expression(*plain->expr);
    if (!plain->alias) return;
    text(" ");
    name(*plain->alias);
  } else if (const auto* star = std::get_if<SelectStar>(&item)) {
    if (star->qualifier) {
      name(*star->qualifier);
      text(".");
    }
    text("*");
  } else {
    primary(std::get<SelectStructStar>(item).base);
    text("->*");
  }
}

void Printer::source(const FromSource& source) {
  constexpr std::array<std::string_view, 3> kWords = {"TUMBLE(", "HOP(", "SESSION("};
  if (source.reading != Reading::plain) text(source.reading == Reading::ready ? "READY(" : "BROADCAST(");
  if (source.changes) text("CHANGES(");
  if (source.window) text(kWords.at(static_cast<std::size_t>(source.window->kind)));
  if (source.unnest) {
    text("UNNEST(");
    expression(*source.unnest);
    text(source.ordinality ? ") WITH ORDINALITY" : ")");
  } else if (source.query) {
    text("(");
    query(*source.query);
    text(")");
  } else {
    name(source.name);
  }
  if (source.window) {
    text(source.window->kind == WindowKind::session ? ", " : ", SIZE ");
    window_bounds(*source.window);
  }
  if (source.changes || source.window || source.reading != Reading::plain) text(")");
  if (source.as_of) {
    text(" FOR SYSTEM_TIME AS OF ");
    primary(source.as_of);
  }
  if (!source.alias) return;
  text(" ");
  name(*source.alias);
  if (source.columns.empty()) return;
  text(" (");
  names(source.columns);
  text(")");
}

void Printer::within(const Within& within) {
  const bool same = within.before.millis == within.after.millis;
  if (within.unbounded) {
    text(" WITHIN UNBOUNDED");
    if (within.ttl) {
      text(" TTL ");
      duration(*within.ttl);
    }
  } else {
    text(same ? " WITHIN " : " WITHIN (");
    duration(within.before);
    if (!same) {
      text(", ");
      duration(within.after);
      text(")");
    }
  }
  if (within.grace) {
    text(" GRACE PERIOD ");
    duration(*within.grace);
  }
  late_into(within.late_into);
}

void Printer::late_into(const std::optional<Identifier>& stream) {
  if (!stream) return;
  text(" LATE INTO ");
  name(*stream);
}

void Printer::join(const JoinedSource& join) {
  constexpr std::array<std::string_view, 4> kWords = {"INNER", "LEFT OUTER", "RIGHT OUTER", "FULL OUTER"};
  text("\n");
  if (join.nearest) {
    text(join.kind == JoinKind::left ? "ASOF LEFT" : "ASOF");
  } else {
    text(join.on || !join.columns.empty() ? kWords.at(static_cast<std::size_t>(join.kind)) : "CROSS");
  }
  text(" JOIN ");
  source(join.source);
  if (!join.on && join.columns.empty()) return;
  if (join.within) within(*join.within);
  if (join.grace) {
    text(" GRACE PERIOD ");
    duration(*join.grace);
  }
  if (!join.columns.empty()) {
    text(" USING (");
    names(join.columns);
    text(")");
    return;
  }
  text(" ON (");
  expression(*join.on);
  text(")");
}

void Printer::window(const Window& window) {
  constexpr std::array<std::string_view, 3> kWords = {"TUMBLING ( SIZE ", "HOPPING ( SIZE ", "SESSION ( "};
  text("\nWINDOW ");
  if (window.name) {
    name(*window.name);
    text(" ");
  }
  text(kWords.at(static_cast<std::size_t>(window.kind)));
  window_bounds(window);
  text(" )");
  late_into(window.late_into);
}

void Printer::window_bounds(const Window& window) {
  duration(window.size);
  if (window.advance) {
    text(", ADVANCE BY ");
    duration(*window.advance);
  }
  if (window.retention) {
    text(", RETENTION ");
    duration(*window.retention);
  }
  if (window.grace) {
    text(", GRACE PERIOD ");
    duration(*window.grace);
  }
  if (window.on_clock) text(", ON PROCTIME");
  if (!window.on) return;
  // Without quotes this name is the clock.
  const auto* column = window.on->as<ColumnRef>();
  if (column != nullptr && !column->qualifier && column->name.text == "PROCTIME") {
    text(", ON `PROCTIME`");
    return;
  }
  text(", ON ");
  expression(*window.on);
}

void Printer::grouping(std::string_view words, const Grouping& grouping) {
  constexpr std::array<std::string_view, 4> kKinds = {"", "GROUPING SETS (", "ROLLUP (", "CUBE ("};
  text(words);
  if (grouping.exprs.empty() && grouping.kind == GroupingKind::plain) text("()");
  list(grouping.exprs);
  if (grouping.kind == GroupingKind::plain) return;
  if (!grouping.exprs.empty()) text(", ");
  text(kKinds.at(static_cast<std::size_t>(grouping.kind)));
  for (std::size_t i = 0; i < grouping.sets.size(); ++i) {
    text(i == 0 ? "(" : ", (");
    list(grouping.sets[i]);
    text(")");
  }
  text(")");
}

void Printer::sorting(std::string_view words, const std::vector<SortItem>& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    text(i == 0 ? words : ", ");
    expression(*items[i].expr);
    if (items[i].descending) text(" DESC");
    if (items[i].nulls_first) text(*items[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
  }
}

void Printer::clauses(const Query& query) {
  const bool several = query.items.size() > 1;
  text(query.distinct ? "SELECT DISTINCT" : "SELECT");
  if (query.distinct_on) {
    if (!query.distinct_on->exprs.empty()) {
      text(" ON (");
      list(query.distinct_on->exprs);
      text(")");
    }
    if (query.distinct_on->within) {
      text(" WITHIN ");
      duration(*query.distinct_on->within);
    }
    if (query.distinct_on->grace) {
      text(" GRACE PERIOD ");
      duration(*query.distinct_on->grace);
    }
    late_into(query.distinct_on->late_into);
  }
  text(several ? "\n  " : " ");
  for (std::size_t i = 0; i < query.items.size(); ++i) {
    if (i > 0) text(",\n  ");
    item(query.items[i]);
  }
  if (query.from.first.absent) return;
  text("\nFROM ");
  source(query.from.first);
  for (const JoinedSource& joined : query.from.joins) join(joined);
  if (query.window) window(*query.window);
  if (query.where) {
    text("\nWHERE ");
    expression(*query.where);
  }
  if (query.group_by) grouping("\nGROUP BY ", *query.group_by);
  if (query.partition_by) grouping("\nPARTITION BY ", *query.partition_by);
  if (query.having) {
    text("\nHAVING ");
    expression(*query.having);
  }
  for (std::size_t i = 0; i < query.windows.size(); ++i) {
    text(i == 0 ? "\nWINDOW " : ", ");
    name(query.windows[i].name);
    text(" AS ");
    over(query.windows[i].spec);
  }
  if (query.qualify) {
    text("\nQUALIFY ");
    expression(*query.qualify);
  }
}

void Printer::query(const Query& query) {
  for (std::size_t i = 0; i < query.with.size(); ++i) {
    const NamedQuery& named = query.with[i];
    text(i == 0 ? "WITH " : ",\n");
    name(named.name);
    for (std::size_t c = 0; c < named.columns.size(); ++c) {
      text(c == 0 ? " (" : ", ");
      name(named.columns[c]);
    }
    text(named.columns.empty() ? " AS (" : ") AS (");
    this->query(*named.query);
    text(")");
  }
  if (!query.with.empty()) text("\n");
  clauses(query);
  constexpr std::array<std::string_view, 4> kOperations = {"\nUNION ALL\n", "\nUNION\n", "\nEXCEPT\n", "\nINTERSECT\n"};
  for (const QueryPtr& branch : query.branches) {
    text(kOperations.at(static_cast<std::size_t>(query.combine)));
    clauses(*branch);
  }
  sorting("\nORDER BY ", query.order_by);
  if (query.emit == Emit::changes) text("\nEMIT CHANGES");
  if (query.every) {
    text(" EVERY ");
    duration(*query.every);
  }
  if (query.emit == Emit::final) text("\nEMIT FINAL");
  if (query.final_grace) {
    text(" GRACE PERIOD ");
    duration(*query.final_grace);
  }
  late_into(query.late_into);
  if (query.limit) {
    text("\nLIMIT ");
    text(std::to_string(*query.limit));
  }
  if (query.offset) {
    text("\nOFFSET ");
    text(std::to_string(*query.offset));
  }
}

std::string format(const Query& query) {
  Printer printer;
  printer.query(query);
  return printer.take();
}

}  // namespace millrace::inline parser::ast
