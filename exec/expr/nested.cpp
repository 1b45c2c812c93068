#include <cstring>

#include "exec/data/equal.h"
#include "exec/expr/node.h"

namespace millrace::inline exec {
namespace {

class FieldNode final : public Node {
 public:
  FieldNode(NodeBox base, std::size_t field)
      : Node(base->type().fields()[field].type), base_(std::move(base)), field_(field) {}

  ColumnPtr evaluate(Frame& frame) override {
    const ColumnPtr base = spread(operand(*base_, frame), frame.rows());
    const std::shared_ptr<Column>& child = base->children[field_];
    if (base->nulls.empty()) return {base, child.get()};
    std::vector<Pick> picks(frame.rows());
    for (std::uint32_t i = 0; i < picks.size(); ++i)
      if (!base->is_null(i)) picks[i] = {0, i};
    const Column* const source = child.get();
    auto column = interleave(type(), {&source, 1}, picks);
    column->keep.push_back(base);
    return column;
  }

 private:
  NodeBox base_;
  std::size_t field_;
};

std::int64_t read_index(const Operand& index, std::size_t row) {
  if (index.column->type.kind() == TypeKind::bigint) return index.column->data.as<std::int64_t>()[index.row(row)];
  return index.column->data.as<std::int32_t>()[index.row(row)];
}

/// array[i], 1-based, negative from the end, NULL when out of range; map[key].
class SubscriptNode final : public Node {
 public:
  SubscriptNode(NodeBox base, NodeBox index, Type type)
      : Node(std::move(type)), base_(std::move(base)), index_(std::move(index)) {}

  ColumnPtr evaluate(Frame& frame) override {
    const ColumnPtr base = spread(operand(*base_, frame), frame.rows());
    const Operand index = operand(*index_, frame);
    std::vector<Pick> picks(frame.rows());
    const bool is_map = base->type.kind() == TypeKind::map;
    for (std::size_t i = 0; i < picks.size(); ++i) {
      if (base->is_null(i) || index.is_null(i)) continue;
      picks[i] = is_map ? find_key(*base, i, index) : find_item(*base, i, read_index(index, i));
    }
    const Column* const source = base->children.back().get();
    auto column = interleave(type(), {&source, 1}, picks);
    column->keep.push_back(base);
    return column;
  }

 private:
  static Pick find_item(const Column& base, std::size_t row, std::int64_t index) {
    const auto* offsets = base.data.as<std::uint32_t>();
    const std::int64_t size = offsets[row + 1] - offsets[row];
    const std::int64_t at = index > 0 ? index - 1 : size + index;
    if (index == 0 || at < 0 || at >= size) return {};
    return {0, offsets[row] + static_cast<std::uint32_t>(at)};
  }
  static Pick find_key(const Column& base, std::size_t row, const Operand& key) {
    const auto* offsets = base.data.as<std::uint32_t>();
    for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i)
      if (equal_values(*base.children[0], i, *key.column, key.row(row))) return {0, i};
    return {};
  }
  NodeBox base_, index_;
};

/// An element whose failure leaves only itself NULL.
ColumnPtr evaluate_alone(Node& node, Frame& frame, const Type& type) {
  if (node.type().is_null()) return make_null_column(type, frame.rows());
  Frame alone(frame, Frame::Isolated{});
  ColumnPtr column = spread(operand(node, alone), frame.rows());
  return alone.any_failed() ? without_failed(std::move(column), alone.failed()) : column;
}

std::vector<ColumnPtr> evaluate_each(std::span<const NodeBox> nodes, Frame& frame, const Type& type) {
  std::vector<ColumnPtr> columns;
  for (const NodeBox& node : nodes) columns.push_back(evaluate_alone(*node, frame, type));
  return columns;
}

/// Column k of row r becomes element r * k_count + k.
std::shared_ptr<Column> zip(const Type& type, std::span<const ColumnPtr> columns, std::size_t rows) {
  std::vector<const Column*> sources;
  for (const ColumnPtr& column : columns) sources.push_back(column.get());
  std::vector<Pick> picks;
  picks.reserve(rows * columns.size());
  for (std::uint32_t row = 0; row < rows; ++row)
    for (std::uint32_t k = 0; k < columns.size(); ++k) picks.push_back({k, row});
  return interleave(type, sources, picks);
}

void fill_offsets(Column& column, std::size_t rows, std::size_t step) {
  column.size = rows;
  column.data.resize((rows + 1) * sizeof(std::uint32_t));
  for (std::size_t i = 0; i <= rows; ++i) column.values_mut<std::uint32_t>()[i] = static_cast<std::uint32_t>(i * step);
}

class ArrayNode final : public Node {
 public:
  ArrayNode(Type type, std::vector<NodeBox> items) : Node(std::move(type)), items_(std::move(items)) {}
  ColumnPtr evaluate(Frame& frame) override {
    auto column = std::make_shared<Column>();
    column->type = type();
    fill_offsets(*column, frame.rows(), items_.size());
    const auto items = evaluate_each(items_, frame, type().element());
    column->children.push_back(zip(type().element(), items, frame.rows()));
    return column;
  }

 private:
  std::vector<NodeBox> items_;
};

class MapNode final : public Node {
 public:
  MapNode(Type type, std::vector<std::pair<NodeBox, NodeBox>> entries) : Node(std::move(type)) {
    for (auto& [key, value] : entries) {
      keys_.push_back(std::move(key));
      values_.push_back(std::move(value));
    }
  }

  /// A repeated key keeps its first place and takes the last value.
  ColumnPtr evaluate(Frame& frame) override {
    const std::size_t rows = frame.rows();
    const auto keys = zip(type().key(), evaluate_each(keys_, frame, type().key()), rows);
    const auto values = zip(type().value(), evaluate_each(values_, frame, type().value()), rows);
    auto column = std::make_shared<Column>();
    column->type = type();
    fill_offsets(*column, rows, 0);
    std::vector<std::uint32_t> key_rows;
    std::vector<std::uint32_t> value_rows;
    for (std::size_t row = 0; row < rows; ++row) {
      add_row(*keys, row, key_rows, value_rows);
      column->values_mut<std::uint32_t>()[row + 1] = static_cast<std::uint32_t>(key_rows.size());
    }
    column->children = {gather(*keys, key_rows), gather(*values, value_rows)};
    return column;
  }

 private:
  void add_row(const Column& keys, std::size_t row, std::vector<std::uint32_t>& key_rows,
               std::vector<std::uint32_t>& value_rows) const {
    const std::size_t first = key_rows.size();
    for (std::size_t k = 0; k < keys_.size(); ++k) {
      const auto at = static_cast<std::uint32_t>(row * keys_.size() + k);
      bool known = false;
      for (std::size_t seen = first; seen < key_rows.size() && !known; ++seen) {
        known = equal_values(keys, key_rows[seen], keys, at);
        if (known) value_rows[seen] = at;
      }
      if (known) continue;
      key_rows.push_back(at);
      value_rows.push_back(at);
    }
  }
  std::vector<NodeBox> keys_, values_;
};

class StructNode final : public Node {
 public:
  StructNode(Type type, std::vector<NodeBox> fields) : Node(std::move(type)), fields_(std::move(fields)) {}
  ColumnPtr evaluate(Frame& frame) override {
    auto column = std::make_shared<Column>();
    column->type = type();
    column->size = frame.rows();
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const ColumnPtr field = evaluate_alone(*fields_[i], frame, type().fields()[i].type);
      column->children.push_back(std::const_pointer_cast<Column>(field));  // immutable again as a child
    }
    return column;
  }

 private:
  std::vector<NodeBox> fields_;
};

}  // namespace

NodeBox make_field_node(NodeBox base, std::size_t field) {
  return std::make_unique<FieldNode>(std::move(base), field);
}
NodeBox make_subscript_node(NodeBox base, NodeBox index) {
  const Type type = base->type().kind() == TypeKind::map ? base->type().value() : base->type().element();
  return std::make_unique<SubscriptNode>(std::move(base), std::move(index), type);
}
NodeBox make_array_node(Type type, std::vector<NodeBox> items) {
  return std::make_unique<ArrayNode>(std::move(type), std::move(items));
}
NodeBox make_map_node(Type type, std::vector<std::pair<NodeBox, NodeBox>> entries) {
  return std::make_unique<MapNode>(std::move(type), std::move(entries));
}
NodeBox make_struct_node(Type type, std::vector<NodeBox> fields) {
  return std::make_unique<StructNode>(std::move(type), std::move(fields));
}

}  // namespace millrace::inline exec
