#include "harness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "planner/logical/plan.h"

namespace millrace::test {

Value text(const char* value) {
  return Value(std::string(value));
}
Value number(std::int64_t value) {
  return Value(value);
}

namespace {
NodePtr source(std::vector<ColumnDef> columns, RelationKind kind) {
  SourceNode node;
  node.name = node.topic = "T";
  node.declared.columns = std::move(columns);
  for (std::size_t i = 0; i < node.declared.columns.size(); ++i) node.read.push_back(i);
  return make_source(std::move(node), kind, std::nullopt);
}
}  // namespace

NodePtr stream(std::vector<ColumnDef> columns) {
  return source(std::move(columns), RelationKind::stream);
}
NodePtr table(std::vector<ColumnDef> columns) {
  return source(std::move(columns), RelationKind::table);
}
ColumnDef key(const char* name, Type type) {
  return {name, std::move(type), ColumnRole::key, {}};
}
ColumnDef value(const char* name, Type type) {
  return {name, std::move(type), ColumnRole::value, {}};
}

ExprPtr column(const NodePtr& input, const char* name) {
  const std::size_t index = input->schema.find(name).value();
  return make_column(index, input->schema.columns[index].type, name);
}

ExprPtr greater(ExprPtr left, std::int64_t right) {
  auto expr = std::make_shared<Expr>();
  expr->type = Type::boolean();
  expr->node = CompareExpr{CompareOp::greater, std::move(left), make_literal(Value(right), Type::bigint())};
  return expr;
}

AggregateCall call(const char* name, ExprPtr argument, const char* as) {
  const FunctionDef* function = builtin_functions().find(name);
  EXPECT_NE(function, nullptr) << name;
  AggregateCall out{function, 0, {}, {}, value(as, Type::bigint())};
  for (std::size_t v = 0; v < function->variants.size(); ++v) {
    const FunctionVariant& variant = function->variants[v];
    if (variant.parameters.size() != (argument ? 1u : 0u)) continue;
    if (argument && variant.parameters[0].type.kind == TypePattern::Kind::any_decimal) continue;
    if (argument && variant.parameters[0].type.kind == TypePattern::Kind::concrete &&
        !(variant.parameters[0].type.type == argument->type))
      continue;
    out.variant = v;
    if (variant.returns.kind == TypePattern::Kind::concrete) out.column.type = variant.returns.type;
    if (variant.resolve_return && argument) out.column.type = variant.resolve_return(std::span(&argument->type, 1));
    break;
  }
  if (argument) out.arguments.push_back(std::move(argument));
  return out;
}

WindowSpec tumbling(std::int64_t size, std::int64_t grace, std::int64_t retention) {
  return {WindowType::tumbling, size, size, grace, std::max(retention, size + grace)};
}
WindowSpec hopping(std::int64_t size, std::int64_t advance, std::int64_t grace) {
  return {WindowType::hopping, size, advance, grace, size + grace};
}
WindowSpec session(std::int64_t gap, std::int64_t grace) {
  return {WindowType::session, gap, gap, grace, gap + grace};
}

Batch make_batch(const PlanNode& relation, std::span<const TestRow> rows) {
  Batch out;
  out.rows = rows.size();
  std::vector<std::int64_t> timestamps;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    timestamps.push_back(rows[i].timestamp);
    if (relation.kind == RelationKind::table) out.kinds.push_back(rows[i].kind);
    if (rows[i].null_value) out.null_values.set(i, rows.size());
    if (rows[i].null_key) out.null_keys.set(i, rows.size());
  }
  out.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::move(timestamps));
  for (std::size_t c = 0; c < relation.schema.size(); ++c) {
    ColumnBuilder builder(relation.schema.columns[c].type);
    for (const TestRow& row : rows) builder.append(c < row.values.size() ? row.values[c] : Value());
    out.columns.push_back(builder.finish());
  }
  return out;
}

std::string row_line(const Schema& schema, const Batch& batch, std::size_t row) {
  std::string keys, values;
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    std::string& part = c < schema.key_count() ? keys : values;
    if (!part.empty()) part += ", ";
    part += to_text(get_value(*batch.columns[c], row), batch.columns[c]->type);
  }
  std::string out = fmt::format("{} | {} | @{}", keys, values, (*batch.timestamps)[row]);
  if (batch.window_start) out += fmt::format(" | {}..{}", (*batch.window_start)[row], (*batch.window_end)[row]);
  if (!batch.kinds.empty()) {
    static constexpr const char* kNames[] = {"insert", "before", "after", "remove"};
    out += fmt::format(" | {}", kNames[static_cast<int>(batch.kinds[row])]);
  }
  return out;
}

Pipe::Pipe(NodePtr root, Settings settings) : settings_(settings), plan_(std::make_shared<PhysicalPlan>()) {
  options_.emit_every_change = settings.every_change;
  *plan_ = make_physical(make_node(OutputNode{std::move(root), {}}), options_, {"s_", "q", false});
  subtopology_ = &plan_->subtopologies.back();
  build();
}
Pipe::~Pipe() = default;

void Pipe::build() {
  pipeline_.reset();
  stores_.clear();
  names_.clear();
  auto built = build_pipeline(*subtopology_, *this, *this);
  ASSERT_TRUE(built) << built.error().message;
  pipeline_ = std::move(*built);
  ASSERT_TRUE(pipeline_->load(progress_));
  for (std::size_t s = 0; s < stores_.size(); ++s) {
    Log& log = logs_[names_[s]];
    std::vector<RecordView> records;
    for (auto i = static_cast<std::size_t>(stores_[s]->durable_position()); i < log.size(); ++i) {
      RecordView record{
          .key = log[i].first, .value = {}, .timestamp = 0, .offset = static_cast<std::int64_t>(i), .headers = {}};
      if (log[i].second) record.value = *log[i].second;
      records.push_back(record);
    }
    ASSERT_TRUE(stores_[s]->restore(records));
    ASSERT_TRUE(stores_[s]->restored(static_cast<std::int64_t>(log.size())));
  }
}

StoreSlot Pipe::store(const std::string& name) {
  StoreSlot slot;
  slot.db = settings_.db;
  slot.prefix = "q|" + name + "|0";
  for (const StorePlan& plan : subtopology_->stores)
    if (plan.name == name) slot.retention_ms = plan.retention_ms;
  const auto keep = [this](std::unique_ptr<Store> made, const std::string& as) {
    names_.push_back(as);
    stores_.push_back(std::move(made));
    return stores_.back().get();
  };
  slot.attach = [keep, name](std::unique_ptr<Store> made) { return keep(std::move(made), name); };
  slot.attach_index = [keep, name](std::unique_ptr<Store> made) { return keep(std::move(made), name + "|index"); };
  return slot;
}

void Pipe::feed(std::size_t leaf, std::span<const TestRow> rows) {
  while (!rows.empty()) {
    const std::size_t count = std::min(settings_.batch_rows, rows.size());
    const Batch batch = make_batch(*pipeline_->leaves()[leaf].source, rows.subspan(0, count));
    const Status pushed = pipeline_->push(leaf, batch);
    ASSERT_TRUE(pushed) << pushed.error().message;
    rows = rows.subspan(count);
  }
}

Status Pipe::batch(Batch&& batch) {
  EXPECT_EQ(batch.timestamps->size(), batch.rows);
  EXPECT_EQ(batch.columns.size(), subtopology_->root->schema.size());
  for (std::size_t c = 0; c < batch.columns.size(); ++c) {
    EXPECT_EQ(batch.columns[c]->size, batch.rows);
    EXPECT_EQ(batch.columns[c]->type.to_string(), subtopology_->root->schema.columns[c].type.to_string());
  }
  for (std::size_t row = 0; row < batch.rows; ++row) open_.push_back(row_line(subtopology_->root->schema, batch, row));
  return {};
}

void Pipe::commit(bool succeeds) {
  struct Sink final : ChangelogSink {
    Status put(std::string_view key, std::optional<std::string_view> value) override {
      log.emplace_back(std::string(key), value ? std::optional(std::string(*value)) : std::nullopt);
      return {};
    }
    Log log;
  };
  ASSERT_TRUE(pipeline_->commit());
  std::vector<Sink> sinks(stores_.size());
  for (std::size_t s = 0; s < stores_.size(); ++s) ASSERT_TRUE(stores_[s]->begin_commit(sinks[s]));
  OperatorStates progress = pipeline_->save();
  if (!succeeds) {
    for (auto& store : stores_) store->roll_back();
    ASSERT_TRUE(pipeline_->load(progress_));
    open_.clear();
    return;
  }
  progress_ = std::move(progress);
  for (std::size_t s = 0; s < stores_.size(); ++s) {
    Log& log = logs_[names_[s]];
    log.insert(log.end(), sinks[s].log.begin(), sinks[s].log.end());
    stores_[s]->commit_done(static_cast<std::int64_t>(log.size()));
  }
  out_.insert(out_.end(), open_.begin(), open_.end());
  open_.clear();
}

void Pipe::spill(std::size_t target) {
  for (auto& store : stores_) ASSERT_TRUE(store->spill(target));
}

void Pipe::crash() {
  open_.clear();
  build();
}

std::vector<std::string> Pipe::take() {
  std::vector<std::string> all = std::move(out_);
  all.insert(all.end(), open_.begin(), open_.end());
  out_.clear();
  open_.clear();
  return all;
}

}  // namespace millrace::test
