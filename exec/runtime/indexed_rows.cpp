#include "exec/runtime/indexed_rows.h"

#include <algorithm>
#include <cstring>

#include "exec/operators/batch_ops.h"
#include "exec/runtime/task.h"

namespace millrace::inline exec {
namespace {

using Size = std::uint32_t;  // of the key of the store, at the end of a pair

/// A column of a table as an expression over what its store keeps.
ExprPtr over_store(const Materialization& table, const Schema& result, const std::string& name) {
  const std::size_t column = *result.find(name);
  ExprPtr expr = make_column(column, result.columns[column].type, name);
  for (std::size_t i = table.above.size(); i-- > 0;) {
    const auto* project = table.above[i]->as<ProjectNode>();
    if (project == nullptr) continue;
    const std::function<ExprPtr(const ExprPtr&)> below = [&](const ExprPtr& part) -> ExprPtr {
      const auto* read = part->as<ColumnExpr>();
      return read != nullptr ? project->items[read->index].expr : map_children(part, below);
    };
    expr = below(expr);
  }
  return expr;
}

std::vector<bool> columns_of(std::span<const ExprPtr> columns, std::size_t size) {
  std::vector<bool> used(size);
  for (const ExprPtr& column : columns) collect_columns(*column, used);
  return used;
}

/// Entries at hand.
class EntriesScan final : public StoreScan {
 public:
  explicit EntriesScan(Entries entries) : entries_(std::move(entries)) {}
  Result<bool> next(std::size_t limit, Entries& out) override {
    const std::size_t end = std::min(at_ + limit, entries_.size());
    for (; at_ < end; ++at_) out.push_back(std::move(entries_[at_]));
    return at_ < entries_.size();
  }

 private:
  Entries entries_;
  std::size_t at_ = 0;
};

std::string encode(std::span<const ExprPtr> exprs, const std::vector<Value>& values) {
  std::vector<Value> key;
  std::vector<ColumnDef> columns;
  for (const ExprPtr& expr : exprs) {
    const auto* parameter = expr->as<ParameterExpr>();
    key.push_back(parameter != nullptr ? values.at(parameter->index) : expr->as<LiteralExpr>()->value);
    columns.push_back({.name = {}, .type = expr->type});
  }
  return encode_key(key, columns);
}

}  // namespace

IndexedRows::IndexedRows(std::string name, const PlanNode& owner, std::vector<ExprPtr> columns, MapStore& store,
                         PairStore& pairs)
    : name_(std::move(name)), reader_(owner, columns_of(columns, owner.schema.size())), store_(store), pairs_(pairs) {
  for (const ExprPtr& column : columns) columns_.emplace_back(column);
  pairs_.fill_by([this](bool all) { return fill(all); });
}

Result<std::unique_ptr<IndexedRows>> IndexedRows::make(const TableIndex& index, const PhysicalPlan& keeper,
                                                       const StorePlan& kept, MapStore& store, StoreSlot slot) {
  std::vector<ExprPtr> columns;
  slot.prefix += "|index " + index.name;
  for (const std::string& column : index.columns) {
    columns.push_back(over_store(*keeper.materialization, keeper.result, column));
    slot.prefix += " " + column;
  }
  auto pairs = PairStore::open(slot, &store);
  if (!pairs) return pairs.error();
  auto* attached = static_cast<PairStore*>(slot.attach_index(std::move(*pairs)));
  return std::unique_ptr<IndexedRows>(new IndexedRows(index.name, *kept.owner, std::move(columns), store, *attached));
}

/// The key of the store, and where it begins.
std::string_view IndexedRows::second(std::string_view key) {
  const auto size = static_cast<Size>(key.size());
  second_.assign(key);
  return second_.append(reinterpret_cast<const char*>(&size), sizeof size);
}

Status IndexedRows::encode(std::span<const std::string_view> keys, std::span<const std::byte* const> values,
                           KeyBuffer& out) {
  auto rows = reader_.read(keys, values);
  if (!rows) return rows.error();
  encode(*rows, out);
  return {};
}

void IndexedRows::encode(const Batch& rows, KeyBuffer& out) {
  RowErrors errors;  // where an expression fails the table has NULL
  std::vector<ColumnPtr> columns;
  for (Evaluator& column : columns_) columns.push_back(column.evaluate(rows, errors));
  encode_keys(columns, all_rows(rows.rows), {}, out);
}

Status IndexedRows::load(std::span<const std::string_view> keys, std::span<const std::byte* const> values) {
  KeyBuffer firsts;
  if (Status encoded = encode(keys, values, firsts); !encoded) return encoded;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (Status loaded = pairs_.load(firsts[i], second(keys[i])); !loaded) return loaded;
  return {};
}

/// From what is committed, before anything else is.
Status IndexedRows::fill(bool all) {
  if (!all) {
    Status loaded;
    store_.for_each([&](const Entry& entry) {
      const std::byte* value = entry.has(Entry::kUnread) ? nullptr : store_.before(entry);
      const std::string_view key = store_.key(entry);
      if (loaded && value != nullptr) loaded = load({&key, 1}, {&value, 1});
    });
    return loaded;
  }
  auto rest = store_.snapshot_values([this](std::span<const std::string_view> keys,
                                            std::span<const std::byte* const> values) { return load(keys, values); });
  if (!rest) return rest.error();
  for (bool more = *rest != nullptr; more;) {
    StoreScan::Entries entries;
    auto next = (*rest)->next(kMaxBatchRows, entries);
    if (!next) return next.error();
    more = *next;
    auto rows = reader_.decode(entries);
    if (!rows) return rows.error();
    KeyBuffer firsts;
    encode(*rows, firsts);
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (Status loaded = pairs_.load(firsts[i], second(entries[i].first)); !loaded) return loaded;
  }
  return {};
}

Status IndexedRows::update() {
  const std::span<Entry* const> changed = store_.changed();
  if (changed.empty()) return {};
  if (Status ready = pairs_.ready(); !ready) return ready;
  for (std::size_t from = 0; from < changed.size(); from += kMaxBatchRows)
    if (Status updated = update(changed.subspan(from, std::min(kMaxBatchRows, changed.size() - from))); !updated)
      return updated;
  return {};
}

Status IndexedRows::update(std::span<Entry* const> changed) {
  std::vector<std::string_view> old_keys, new_keys;
  std::vector<const std::byte*> old_values, new_values;
  for (const Entry* entry : changed) {
    if (const std::byte* before = store_.before(*entry)) {
      old_keys.push_back(store_.key(*entry));
      old_values.push_back(before);
    }
    if (!entry->present()) continue;
    new_keys.push_back(store_.key(*entry));
    new_values.push_back(entry->value());
  }
  KeyBuffer old_firsts, new_firsts;
  if (Status encoded = encode(old_keys, old_values, old_firsts); !encoded) return encoded;
  if (Status encoded = encode(new_keys, new_values, new_firsts); !encoded) return encoded;
  std::size_t old_at = 0, new_at = 0;
  for (const Entry* entry : changed) {
    const bool had = store_.before(*entry) != nullptr, has = entry->present();
    const bool same = had && has && old_firsts[old_at] == new_firsts[new_at];
    if (had && !same) pairs_.remove(old_firsts[old_at], second(store_.key(*entry)));
    if (has && !same) pairs_.add(new_firsts[new_at], second(store_.key(*entry)));
    old_at += had ? 1 : 0;
    new_at += has ? 1 : 0;
  }
  return {};
}

Status IndexedRows::look_up(std::span<const Range> ranges, StoreScan::Entries& out) {
  if (Status ready = pairs_.ready(); !ready) return ready;
  for (const Range& range : ranges) {
    Status visited = pairs_.visit_committed(range.from, range.to, [&](std::string_view pair) -> Status {
      Size size = 0;
      std::memcpy(&size, pair.data() + pair.size() - sizeof size, sizeof size);
      const std::string_view key = pair.substr(pair.size() - sizeof size - size, size);
      return store_.get(key, [&](std::string_view stored, std::string_view value) {
        out.emplace_back(stored, value);
        return true;
      });
    });
    if (!visited) return visited;
  }
  return {};
}

std::vector<IndexedRows::Range> index_ranges(const StoreScanNode& scan, const std::vector<Value>& values) {
  constexpr char kPresent = 1;  // key_codec.h: before a value that is not NULL
  std::vector<IndexedRows::Range> ranges;
  for (const KeyAccess& prefix : scan.prefixes) {
    const std::string begin = encode(prefix.key, values);
    IndexedRows::Range range{begin, end_of_prefix(begin)};
    if (!scan.from.empty())
      range.from = begin + encode(scan.from, values);
    else if (!scan.to.empty())
      range.from = begin + kPresent;
    if (!scan.to.empty()) range.to = end_of_prefix(begin + encode(scan.to, values));
    ranges.push_back(std::move(range));
  }
  std::ranges::sort(ranges);
  ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
  return ranges;
}

Result<std::unique_ptr<StoreScan>> scan_index(Task& task, const std::string& index,
                                              std::span<const IndexedRows::Range> ranges) {
  IndexedRows* rows = task.find_index(index);
  if (rows == nullptr) return std::unique_ptr<StoreScan>();
  StoreScan::Entries entries;
  if (Status found = rows->look_up(ranges, entries); !found) return found.error();
  return std::unique_ptr<StoreScan>(std::make_unique<EntriesScan>(std::move(entries)));
}

}  // namespace millrace::inline exec
