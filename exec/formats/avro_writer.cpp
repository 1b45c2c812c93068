#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "exec/formats/avro_default.h"
#include "exec/formats/avro_format.h"
#include "exec/formats/avro_wire.h"
#include "exec/formats/scalar_store.h"
#include "exec/formats/text_sink.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

using avro::Kind;
using avro::Logical;
using avro::Node;

/// One datum to write: where its values lie and what its schema wants.
struct Cell {
  const Node* node = nullptr;  // without the union around it
  TypeKind type = TypeKind::null;
  int scale = 0;
  std::string name;        // for messages
  std::string value_mark;  // what stands before a value: the index of its branch; empty: no union
  std::string null_bytes;  // what is written for NULL
  bool takes_null = false;
  bool constant = false;         // a field without a column: always null_bytes
  bool fields_of_union = false;  // a STRUCT, one field for each branch
  std::size_t column_index = 0;
  std::vector<Cell> children;
  const Column* column = nullptr;
  const std::byte* data = nullptr;

  template <class T>
  T at(std::size_t row) const {
    return reinterpret_cast<const T*>(data)[row];
  }
};

std::string long_bytes(std::int64_t value) {
  char buffer[kMaxVarint];
  return {buffer, avro::write_long(value, buffer)};
}

bool fits(const Node& node, const Type& type) {
  const TypeKind kind = type.kind();
  switch (node.kind) {
    case Kind::boolean:
      return kind == TypeKind::boolean;
    case Kind::int_:
      return kind == TypeKind::integer || kind == TypeKind::date || kind == TypeKind::time;
    case Kind::long_:
      return kind == TypeKind::integer || kind == TypeKind::bigint || kind == TypeKind::timestamp ||
             kind == TypeKind::time;
    case Kind::float_:
    case Kind::double_:
      return kind == TypeKind::double_ || kind == TypeKind::integer || kind == TypeKind::bigint;
    case Kind::string:
    case Kind::enumeration:
      return kind == TypeKind::string;
    case Kind::bytes:
    case Kind::fixed:
      return kind == TypeKind::bytes || (kind == TypeKind::decimal && node.logical == Logical::decimal);
    case Kind::record:
      return kind == TypeKind::structure;
    case Kind::array:
      return kind == TypeKind::array ||
             (kind == TypeKind::map && node.element->kind == Kind::record && node.element->fields.size() == 2);
    case Kind::map:
      return kind == TypeKind::map && type.key().kind() == TypeKind::string;
    default:
      return false;
  }
}

Error misfit(const std::string& name, const Type& type) {
  return user_error("column {} {} does not fit the field of that name in the Avro schema", name, type.to_string());
}

Result<Cell> make_cell(const Node& node, const Type& type, std::string name, const avro::Field* field);

Result<Cell> make_union_fields(const Node& node, const Type& type, Cell cell) {
  cell.fields_of_union = true;
  std::size_t index = 0;
  for (const StructField& wanted : type.fields()) {
    for (std::size_t i = 0; i < node.branches.size(); ++i) {
      Node names;
      names.fields.push_back({.name = avro::branch_name(*node.branches[i]), .aliases = {}, .otherwise = {}});
      if (!names.find(wanted.name)) continue;
      auto child = make_cell(*node.branches[i], wanted.type, wanted.name, nullptr);
      if (!child) return child;
      child->value_mark = long_bytes(static_cast<std::int64_t>(i));
      child->column_index = index;
      cell.children.push_back(std::move(*child));
      break;
    }
    ++index;
  }
  if (cell.children.size() != type.fields().size()) return misfit(cell.name, type);
  return cell;
}

Status fill_record(Cell& cell, const Node& node, const std::vector<StructField>& columns) {
  std::vector<std::size_t> columns_of(node.fields.size(), SIZE_MAX);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const avro::Field* field = node.find(columns[i].name);
    if (field == nullptr) return user_error("column {} is not in the Avro schema", columns[i].name);
    columns_of[static_cast<std::size_t>(field - node.fields.data())] = i;
  }
  for (std::size_t i = 0; i < node.fields.size(); ++i) {
    const avro::Field& field = node.fields[i];
    if (columns_of[i] == SIZE_MAX) {
      Cell child;
      child.constant = true;
      if (field.otherwise) {
        auto bytes = avro::default_bytes(*field.otherwise, *field.type);
        if (!bytes) return bytes.error();
        child.null_bytes = std::move(*bytes);
      } else if (field.type->nullable()) {
        const auto null = std::ranges::find(field.type->branches, Kind::null, [](const Node* b) { return b->kind; });
        if (null != field.type->branches.end()) child.null_bytes = long_bytes(null - field.type->branches.begin());
      } else {
        return user_error("field {} of the Avro schema is required and no column fills it", field.name);
      }
      cell.children.push_back(std::move(child));
      continue;
    }
    const StructField& column = columns[columns_of[i]];
    auto child = make_cell(*field.type, column.type, column.name, &field);
    if (!child) return child.error();
    child->column_index = columns_of[i];
    cell.children.push_back(std::move(*child));
  }
  return {};
}

Result<Cell> make_plain(Cell cell, const Node& node, const Type& type) {
  cell.node = &node;
  if (!fits(node, type)) return misfit(cell.name, type);
  if (node.kind == Kind::record) {
    const auto fields = type.fields();
    if (auto done = fill_record(cell, node, {fields.begin(), fields.end()}); !done) return done.error();
  } else if (node.kind == Kind::map || type.kind() == TypeKind::array) {
    const Type& inner = node.kind == Kind::map ? type.value() : type.element();
    auto child = make_cell(*node.element, inner, cell.name, nullptr);
    if (!child) return child;
    child->column_index = node.kind == Kind::map ? 1 : 0;
    cell.children.push_back(std::move(*child));
  } else if (type.kind() == TypeKind::map) {
    for (std::size_t k = 0; k < 2; ++k) {
      auto child = make_cell(*node.element->fields[k].type, k == 0 ? type.key() : type.value(), cell.name, nullptr);
      if (!child) return child;
      child->column_index = k;
      cell.children.push_back(std::move(*child));
    }
  }
  return cell;
}

Result<Cell> make_cell(const Node& node, const Type& type, std::string name, const avro::Field* field) {
  Cell cell;
  cell.name = std::move(name);
  cell.type = type.kind();
  cell.scale = type.scale();
  if (field && field->otherwise) {
    auto bytes = avro::default_bytes(*field->otherwise, node);
    if (bytes) cell.null_bytes = std::move(*bytes);
    cell.takes_null = bytes.has_value();
  }
  if (node.kind != Kind::union_) return make_plain(std::move(cell), node, type);
  std::size_t chosen = SIZE_MAX;
  for (std::size_t i = 0; i < node.branches.size(); ++i) {
    if (node.branches[i]->kind == Kind::null) {
      cell.null_bytes = long_bytes(static_cast<std::int64_t>(i));
      cell.takes_null = true;
    } else if (chosen == SIZE_MAX && fits(*node.branches[i], type)) {
      chosen = i;
    }
  }
  if (type.kind() == TypeKind::structure && node.only_branch() == nullptr &&
      (chosen == SIZE_MAX || node.branches[chosen]->find(type.fields().front().name) == nullptr))
    return make_union_fields(node, type, std::move(cell));
  if (chosen == SIZE_MAX) return misfit(cell.name, type);
  cell.value_mark = long_bytes(static_cast<std::int64_t>(chosen));
  return make_plain(std::move(cell), *node.branches[chosen], type);
}

void bind_cell(Cell& cell, const Column& column) {
  cell.column = &column;
  cell.data = column.data.data();
  for (Cell& child : cell.children) {
    if (child.constant) continue;
    bind_cell(child, *column.children[child.column_index]);
  }
  // Keys of a map are written by the map itself.
}

/// A field of the record that most data are, of a type that is quick to write; the others are left to their cell.
struct Lane {
  enum class Act : std::uint8_t { cell, constant, int32, int64, double_, boolean, text };
  Act act = Act::cell;
  bool marked = false;  // value_mark stands before a value
  char value_mark = 0;
  const Cell* cell = nullptr;
  const Bitmap* nulls = nullptr;  // of the current batch; null: none
};

/// Room for a number and its mark, or what stands for NULL.
constexpr std::size_t kLaneRoom = 1 + kMaxVarint;

Lane::Act act_of(const Cell& cell) {
  if (cell.null_bytes.size() > kLaneRoom || cell.value_mark.size() > 1) return Lane::Act::cell;
  if (cell.constant) return Lane::Act::constant;
  if (cell.fields_of_union) return Lane::Act::cell;
  const bool wide = cell.type == TypeKind::bigint || cell.type == TypeKind::timestamp;
  switch (cell.node->kind) {
    case Kind::boolean:
      return Lane::Act::boolean;
    case Kind::int_:
      return Lane::Act::int32;
    case Kind::long_:
      if (cell.node->logical == Logical::time_micros || cell.node->logical == Logical::timestamp_micros)
        return Lane::Act::cell;
      return wide ? Lane::Act::int64 : Lane::Act::int32;
    case Kind::double_:
      return cell.type == TypeKind::double_ ? Lane::Act::double_ : Lane::Act::cell;
    case Kind::string:
      return Lane::Act::text;
    case Kind::bytes:
      return cell.type == TypeKind::bytes ? Lane::Act::text : Lane::Act::cell;
    default:
      return Lane::Act::cell;
  }
}

Lane lane_for(const Cell& cell) {
  Lane lane{.act = act_of(cell), .cell = &cell};
  if (lane.act != Lane::Act::cell && !cell.value_mark.empty()) {
    lane.marked = true;
    lane.value_mark = cell.value_mark.front();
  }
  return lane;
}

}  // namespace

struct AvroWriter::State {
  avro::SchemaPtr schema;
  Cell root;
  std::vector<Lane> lanes;  // of a record: its fields
  bool bare = false;
  TextSink* sink = nullptr;
  std::string reason;

  void put(std::string_view bytes) { sink->append(bytes); }
  void put_long(std::int64_t value) { sink->advance(avro::write_long(value, sink->room(kMaxVarint))); }
  void put_text(std::string_view text) {
    put_long(static_cast<std::int64_t>(text.size()));
    put(text);
  }
  template <class T>
  void put_raw(T value) {
    char* out = sink->room(sizeof value);
    std::memcpy(out, &value, sizeof value);
    sink->advance(out + sizeof value);
  }

  bool write_lanes(std::size_t row) {
    const std::size_t room = lanes.size() * kLaneRoom;
    char* out = sink->room(room);
    for (const Lane& lane : lanes) {
      const Cell& cell = *lane.cell;
      if (lane.act == Lane::Act::cell) {
        sink->advance(out);
        if (!write(cell, row)) return false;
        out = sink->room(room);
        continue;
      }
      if (lane.act == Lane::Act::constant || (lane.nulls != nullptr && lane.nulls->test(row))) {
        if (lane.act != Lane::Act::constant && !cell.takes_null) return no_null(cell);
        std::memcpy(out, cell.null_bytes.data(), cell.null_bytes.size());
        out += cell.null_bytes.size();
        continue;
      }
      if (lane.marked) *out++ = lane.value_mark;
      if (lane.act == Lane::Act::text) {
        const auto text = cell.at<std::string_view>(row);
        out = avro::write_long(static_cast<std::int64_t>(text.size()), out);
        sink->advance(out);
        out = sink->room(text.size() + room);
        if (!text.empty()) std::memcpy(out, text.data(), text.size());
        out += text.size();
      } else {
        out = write_lane(lane, row, out);
      }
    }
    sink->advance(out);
    return true;
  }

  static char* write_lane(const Lane& lane, std::size_t row, char* out) {
    const Cell& cell = *lane.cell;
    switch (lane.act) {
      case Lane::Act::int32:
        return avro::write_long(cell.at<std::int32_t>(row), out);
      case Lane::Act::int64:
        return avro::write_long(cell.at<std::int64_t>(row), out);
      case Lane::Act::double_: {
        const auto value = cell.at<double>(row);
        std::memcpy(out, &value, sizeof value);
        return out + sizeof value;
      }
      default:
        *out = static_cast<char>(cell.at<std::uint8_t>(row) != 0);
        return out + 1;
    }
  }

  bool no_null(const Cell& cell) {
    reason = fmt::format("column {} is NULL where the Avro schema allows no null and has no default", cell.name);
    return false;
  }

  bool write(const Cell& cell, std::size_t row) {
    if (cell.constant) {
      put(cell.null_bytes);
      return true;
    }
    if (cell.column->is_null(row)) {
      if (!cell.takes_null) return no_null(cell);
      put(cell.null_bytes);
      return true;
    }
    if (!cell.value_mark.empty()) put(cell.value_mark);
    return cell.fields_of_union ? write_union_fields(cell, row) : write_value(cell, row);
  }

  bool write_union_fields(const Cell& cell, std::size_t row) {
    for (const Cell& child : cell.children)
      if (!child.column->is_null(row)) return write(child, row);
    put(cell.null_bytes);
    if (!cell.takes_null) reason = fmt::format("no field of {} has a value", cell.name);
    return cell.takes_null;
  }

  static std::int64_t integer_at(const Cell& cell, std::size_t row) {
    const bool wide = cell.type == TypeKind::bigint || cell.type == TypeKind::timestamp;
    return wide ? cell.at<std::int64_t>(row) : cell.at<std::int32_t>(row);
  }
  static double double_at(const Cell& cell, std::size_t row) {
    return cell.type == TypeKind::double_ ? cell.at<double>(row) : static_cast<double>(integer_at(cell, row));
  }

  bool write_value(const Cell& cell, std::size_t row) {
    switch (cell.node->kind) {
      case Kind::boolean:
        put_raw(static_cast<char>(cell.at<std::uint8_t>(row) != 0));
        return true;
      case Kind::int_:
        put_long(integer_at(cell, row));
        return true;
      case Kind::long_:
        return write_long(cell, row);
      case Kind::float_:
        put_raw(static_cast<float>(double_at(cell, row)));
        return true;
      case Kind::double_:
        put_raw(double_at(cell, row));
        return true;
      case Kind::string:
        put_text(cell.at<std::string_view>(row));
        return true;
      case Kind::enumeration:
        return write_symbol(cell, cell.at<std::string_view>(row));
      case Kind::bytes:
      case Kind::fixed:
        return cell.type == TypeKind::decimal ? write_decimal(cell, row) : write_bytes(cell, row);
      case Kind::record:
        for (const Cell& child : cell.children)
          if (!write(child, row)) return false;
        return true;
      default:
        return write_list(cell, row);
    }
  }

  bool write_long(const Cell& cell, std::size_t row) {
    std::int64_t value = integer_at(cell, row);
    const Logical logical = cell.node->logical;
    const bool micros = logical == Logical::time_micros || logical == Logical::timestamp_micros;
    if (micros && __builtin_mul_overflow(value, 1000, &value)) {
      reason = fmt::format("column {} is beyond what microseconds can say", cell.name);
      return false;
    }
    put_long(value);
    return true;
  }

  bool write_symbol(const Cell& cell, std::string_view text) {
    const auto& symbols = cell.node->symbols;
    const auto found = std::ranges::find(symbols, text);
    if (found == symbols.end()) {
      reason = fmt::format("'{}' is not a symbol of enum {} of the Avro schema", text, cell.node->name);
      return false;
    }
    put_long(found - symbols.begin());
    return true;
  }

  bool write_bytes(const Cell& cell, std::size_t row) {
    const auto bytes = cell.at<std::string_view>(row);
    if (cell.node->kind == Kind::bytes) {
      put_text(bytes);
      return true;
    }
    if (bytes.size() != cell.node->size) {
      reason =
          fmt::format("column {} has {} bytes where the Avro schema has {}", cell.name, bytes.size(), cell.node->size);
      return false;
    }
    put(bytes);
    return true;
  }

  bool write_decimal(const Cell& cell, std::size_t row) {
    const auto scaled = rescale(cell.at<Int128>(row), cell.scale, cell.node->scale, Rounding::exact);
    char digits[16];
    const auto width = scaled ? static_cast<std::size_t>(write_big_integer(*scaled, digits) - digits) : 0;
    if (!scaled || (cell.node->kind == Kind::fixed && width > cell.node->size)) {
      reason = fmt::format("column {} does not fit the decimal of the Avro schema", cell.name);
      return false;
    }
    if (cell.node->kind == Kind::bytes) {
      put_text({digits, width});
      return true;
    }
    const std::size_t padding = cell.node->size - width;
    char* out = sink->room(cell.node->size);
    std::memset(out, *scaled < 0 ? 0xFF : 0, padding);
    std::memcpy(out + padding, digits, width);
    sink->advance(out + cell.node->size);
    return true;
  }

  bool write_list(const Cell& cell, std::size_t row) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(cell.data) + row;
    if (offsets[0] != offsets[1]) put_long(offsets[1] - offsets[0]);
    const Column* keys = cell.node->kind == Kind::map ? cell.column->children[0].get() : nullptr;
    for (std::uint32_t i = offsets[0]; i < offsets[1]; ++i) {
      if (keys) put_text(keys->values<std::string_view>()[i]);
      for (const Cell& child : cell.children)
        if (!write(child, i)) return false;
    }
    put_long(0);
    return true;
  }
};

AvroWriter::AvroWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
AvroWriter::~AvroWriter() = default;

Result<std::unique_ptr<AvroWriter>> AvroWriter::make(avro::SchemaPtr schema, const std::vector<ColumnDef>& columns,
                                                     bool bare) {
  auto state = std::make_unique<State>();
  state->schema = std::move(schema);
  state->bare = bare;
  const Node& root = *state->schema->root;
  if (bare) {
    auto cell = make_cell(root, columns.front().type, columns.front().name, nullptr);
    if (!cell) return cell.error();
    state->root = std::move(*cell);
  } else {
    std::vector<StructField> fields;
    for (const ColumnDef& column : columns) fields.push_back({column.name, column.type});
    const Node* record = &root;
    if (root.kind == Kind::union_) {
      const auto found = std::ranges::find(root.branches, Kind::record, [](const Node* b) { return b->kind; });
      if (found == root.branches.end()) return user_error("the Avro schema describes no record");
      record = *found;
      state->root.value_mark = long_bytes(found - root.branches.begin());
    }
    if (record->kind != Kind::record) return user_error("the Avro schema describes no record");
    if (auto done = fill_record(state->root, *record, fields); !done) return done.error();
    for (const Cell& cell : state->root.children) state->lanes.push_back(lane_for(cell));
  }
  return std::unique_ptr<AvroWriter>(new AvroWriter(std::move(state)));
}

void AvroWriter::bind(std::span<const ColumnPtr> columns) {
  if (state_->bare) return bind_cell(state_->root, *columns.front());
  for (std::size_t i = 0; i < state_->lanes.size(); ++i) {
    Cell& cell = state_->root.children[i];
    if (cell.constant) continue;
    const Column& column = *columns[cell.column_index];
    bind_cell(cell, column);
    state_->lanes[i].nulls = column.nulls.empty() ? nullptr : &column.nulls;
  }
}

bool AvroWriter::write(std::size_t row, TextSink& sink) {
  state_->sink = &sink;
  if (state_->bare) return state_->write(state_->root, row);
  sink.append(state_->root.value_mark);
  return state_->write_lanes(row);
}

const std::string& AvroWriter::reason() const {
  return state_->reason;
}

}  // namespace millrace::inline exec
