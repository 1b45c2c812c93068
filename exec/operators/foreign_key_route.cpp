#include <algorithm>
#include <cstring>

#include "exec/operators/batch_ops.h"
#include "exec/operators/foreign_key_parts.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Keeps of each row what it refers to.
class ForeignKeyRoute final : public Operator {
 public:
  ForeignKeyRoute(const ForeignKeyRouteNode& node, const LowerContext& lower, MapStore& referred)
      : context_(lower.context), outer_(node.outer), left_keys_(*node.input), referred_(referred) {
    for (const ProjectItem& key : node.keys) {
      foreign_keys_.emplace_back(key.expr);
      types_.push_back(key.column.type);
    }
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> rows = TableSide::news(in);
    if (rows.empty()) return {};
    find_keys(in, rows);
    left_keys_.encode(in, rows, key_bytes_);
    entries_.resize(rows.size());
    if (Status found = referred_.find_or_create(key_bytes_, entries_); !found) return found;
    sent_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i)
      route(rows[i], *entries_[i], in.kind(rows[i]) == RowKind::remove, i, (*in.timestamps)[rows[i]]);
    return sent_.empty() ? Status{} : out.batch(make(in));
  }

  void save(std::string& bytes) const override { save_number(version_, bytes); }
  Status load(std::string_view bytes) override {
    version_ = load_number(bytes, 0);
    return {};
  }

 private:
  struct Sent {
    std::uint32_t row;
    ForeignKeyMarks mark;
    std::int64_t version;
    std::string key;
  };

  /// What each row refers to. NULL is sent where the zero of the type is, so that all of one row go one way.
  void find_keys(const Batch& in, const std::vector<std::uint32_t>& rows) {
    RowErrors errors;
    Bitmap failed;
    std::vector<ColumnPtr> names;
    for (Evaluator& key : foreign_keys_) names.push_back(key.evaluate(in, errors, failed));
    report_standing(context_, errors, failed, in);
    absent_.assign(rows.size(), 0);
    for (ColumnPtr& name : names) {
      if (!any_set(name->nulls, in.rows)) continue;
      for (std::size_t i = 0; i < rows.size(); ++i) absent_[i] |= name->is_null(rows[i]) ? 1 : 0;
    }
    if (std::ranges::find(absent_, 1) != absent_.end()) {
      Bitmap none;
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (absent_[i] != 0) none.set(rows[i], in.rows);
      for (ColumnPtr& name : names) name = zeroed(*name, none);
    }
    encode_keys(names, rows, {}, foreign_key_bytes_);
  }

  static ColumnPtr zeroed(const Column& column, const Bitmap& where) {
    const auto zero = make_column(column.type, 1);
    std::memset(zero->data.as<char>(), 0, value_width(column.type));
    std::vector<Pick> picks(column.size);
    for (std::uint32_t row = 0; row < column.size; ++row) picks[row] = where.test(row) ? Pick{1, 0} : Pick{0, row};
    const Column* const sources[] = {&column, zero.get()};
    return interleave(column.type, sources, picks);
  }

  void route(std::uint32_t at, Entry& entry, bool gone, std::size_t i, std::int64_t timestamp) {
    using enum ForeignKeyMark;
    std::optional<std::string> before;
    if (entry.present()) before.emplace(row_value(entry.value()).bytes());
    if (gone || (!outer_ && absent_[i] != 0)) {
      if (!before) return;
      sent_.push_back({at, ForeignKeyMarks(removed), ++version_, std::move(*before)});
      return referred_.remove(entry);
    }
    const std::string_view now = foreign_key_bytes_[i];
    ForeignKeyMarks mark(ForeignKeyMark::row);
    ++version_;
    if (before && *before != now) {
      sent_.push_back({at, ForeignKeyMarks(left), version_, std::move(*before)});
      mark.add(moved);
    }
    if (absent_[i] != 0) mark.add(no_key);
    sent_.push_back({at, mark, version_, std::string(now)});
    referred_.put_row(entry, timestamp, now);
  }

  Batch make(const Batch& in) const {
    Batch out;
    out.rows = sent_.size();
    std::vector<std::uint32_t> rows;
    std::vector<std::string_view> keys;
    std::vector<Pick> picks, values;
    auto versions = make_column(Type::bigint(), sent_.size()), marks = make_column(Type::integer(), sent_.size());
    auto times = std::make_shared<std::vector<std::int64_t>>();
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      const Sent& sent = sent_[i];
      rows.push_back(sent.row);
      keys.push_back(sent.key);
      picks.push_back({0, sent.row});
      values.push_back(sent.mark.kind() == ForeignKeyMark::row ? picks.back() : Pick{});
      versions->values_mut<std::int64_t>()[i] = sent.version;
      marks->values_mut<std::int32_t>()[i] = sent.mark.bits();
      times->push_back((*in.timestamps)[sent.row]);
    }
    out.columns = decode_keys(types_, keys, 0);
    out.columns.push_back(std::move(versions));
    out.columns.push_back(std::move(marks));
    for (std::size_t c = 0; c < in.columns.size(); ++c) {
      const Column* const source = in.columns[c].get();
      out.columns.push_back(interleave(source->type, {&source, 1}, c < left_keys_.columns() ? picks : values));
    }
    out.timestamps = std::move(times);
    carry_headers({&in, rows}, out);
    return out;
  }

  OperatorContext& context_;
  const bool outer_;
  std::vector<Evaluator> foreign_keys_;
  std::vector<Type> types_;
  StoreKeys left_keys_;
  MapStore& referred_;
  std::int64_t version_ = 0;  // the last given
  KeyBuffer key_bytes_, foreign_key_bytes_;
  std::vector<Entry*> entries_;
  std::vector<std::uint8_t> absent_;  // the row refers to nothing
  std::vector<Sent> sent_;
};

}  // namespace

MadeOperator make_foreign_key_route(const ForeignKeyRouteNode& node, const LowerContext& lower) {
  auto referred = open_rows(lower.store("keys"));
  if (!referred) return referred.error();
  return std::make_unique<ForeignKeyRoute>(node, lower, **referred);
}

}  // namespace millrace::inline exec
