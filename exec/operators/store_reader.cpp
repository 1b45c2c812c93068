#include "exec/operators/store_reader.h"

#include <cstring>
#include <deque>

#include "exec/operators/group_values.h"
#include "exec/operators/table_side.h"

namespace millrace {
namespace {

class ReaderBase : public StoreReader {
 public:
  explicit ReaderBase(const PlanNode& owner) : keys_(owner) {}
  void add(std::string_view key, std::string_view value) override {
    keys_held_.emplace_back(key);
    values_held_.emplace_back(value);
  }
  std::size_t rows() const override { return keys_held_.size(); }
  Result<Batch> finish() override {
    Batch out;
    out.rows = rows();
    std::vector<std::int64_t> timestamps;
    for (const std::string& value : values_held_) {
      std::int64_t timestamp = 0;
      if (value.size() < sizeof(timestamp)) return Error{Fault::bug, "a stored row is cut off"};
      std::memcpy(&timestamp, value.data(), sizeof(timestamp));
      timestamps.push_back(timestamp);
    }
    Result<std::vector<ColumnPtr>> columns = values();
    if (!columns) return columns.error();
    out.columns = std::move(*columns);
    const std::vector<std::string_view> keys(keys_held_.begin(), keys_held_.end());
    keys_.decode(keys, out);
    out.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::move(timestamps));
    keys_held_.clear();
    values_held_.clear();
    return out;
  }

 protected:
  virtual Result<std::vector<ColumnPtr>> values() = 0;
  std::deque<std::string> values_held_;

 private:
  StoreKeys keys_;
  std::deque<std::string> keys_held_;
};

class GroupReader final : public ReaderBase {
 public:
  GroupReader(const PlanNode& owner, const AggregateNode& node) : ReaderBase(owner), layout_(node) {}

 private:
  Result<std::vector<ColumnPtr>> values() override {
    struct alignas(16) Block {
      std::byte bytes[16];
    };
    const std::size_t blocks = layout_.size() / sizeof(Block) + 1;
    std::vector<Block> memory(blocks * values_held_.size());
    std::vector<const std::byte*> states;
    bool good = true;
    for (const std::string& value : values_held_) {
      std::byte* state = memory[blocks * states.size()].bytes;
      good = layout_.decode(value, state);
      if (!good) break;
      states.push_back(state);
    }
    std::vector<ColumnPtr> out;
    if (good) out = layout_.results(states);
    if (!layout_.trivial())
      for (const std::byte* state : states) layout_.destroy(const_cast<std::byte*>(state));
    if (!good) return Error{Fault::bug, "a stored group cannot be read"};
    return out;
  }
  GroupLayout layout_;
};

class RowReader final : public ReaderBase {
 public:
  explicit RowReader(const PlanNode& owner) : ReaderBase(owner), codec_(owner.schema) {}

 private:
  Result<std::vector<ColumnPtr>> values() override {
    std::vector<std::optional<std::string_view>> rows;
    for (const std::string& value : values_held_)
      rows.emplace_back(std::string_view(value).substr(sizeof(std::int64_t)));
    return codec_.decode(rows);
  }
  RowCodec codec_;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> make_store_reader(const PlanNode& owner) {
  if (const auto* node = owner.as<AggregateNode>()) return std::make_unique<GroupReader>(owner, *node);
  if (owner.as<MaterializeNode>() != nullptr) return std::make_unique<RowReader>(owner);
  return Error{Fault::bug, "this operator's store cannot be read from outside"};
}

std::string store_key_prefix(const PlanNode& owner, std::span<const Value> key) {
  const std::vector<ColumnDef> columns = owner.schema.keys();
  return encode_key(key, columns);
}

}  // namespace millrace
