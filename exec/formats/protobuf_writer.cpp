#include <fmt/format.h>

#include <algorithm>

#include "exec/formats/protobuf_format.h"
#include "exec/formats/protobuf_wire.h"
#include "exec/formats/scalar_store.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using namespace proto;

constexpr std::size_t kTagRoom = 5;

/// Memory that a message is written to before it is copied out; grows, never shrinks.
class Scratch {
 public:
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  char* room(std::size_t bytes) {
    if (size_ + bytes > buffer_.size()) buffer_.resize(std::max(buffer_.size() * 2, size_ + bytes + 1024));
    return buffer_.data() + size_;
  }
  void advance(const char* end) { size_ = static_cast<std::size_t>(end - buffer_.data()); }
  std::string_view text() const { return {buffer_.data(), size_}; }

  /// Reserves a byte for a length; close() puts the length of what was written since in front of it.
  std::size_t open() {
    advance(room(1) + 1);
    return size_;
  }
  void close(std::size_t start) {
    const std::size_t length = size_ - start;
    if (length < 0x80) {
      buffer_[start - 1] = static_cast<char>(length);
      return;
    }
    char prefix[kMaxVarint];
    const auto width = static_cast<std::size_t>(write_varint(length, prefix) - prefix);
    room(width);
    std::memmove(buffer_.data() + start - 1 + width, buffer_.data() + start, length);
    std::memcpy(buffer_.data() + start - 1, prefix, width);
    size_ += width - 1;
  }

 private:
  std::vector<char> buffer_;
  std::size_t size_ = 0;
};

/// A field, the column that fills it and where its values lie in the current batch.
struct Cell {
  const Field* field = nullptr;
  TypeKind kind = TypeKind::null;
  int scale = 0, precision = 0;
  char tag[kTagRoom] = {};
  std::size_t tag_size = 0;
  bool list = false, map = false;
  bool oneof = false;  // no field: the children are the members of a oneof, of which one is written
  std::size_t column_index = 0;
  std::vector<Cell> children;  // STRUCT: fields; MAP: key and value; ARRAY: the element
  const Column* column = nullptr;
  const std::byte* data = nullptr;

  template <class T>
  T at(std::size_t row) const {
    return reinterpret_cast<const T*>(data)[row];
  }
};

void set_tag(Cell& cell, Wire wire) {
  cell.tag_size = static_cast<std::size_t>(
      write_varint(std::uint64_t{cell.field->number} << 3 | static_cast<std::uint64_t>(wire), cell.tag) - cell.tag);
}

bool is_integral(FieldKind kind) {
  return kind >= FieldKind::int32 && kind <= FieldKind::fixed64;
}

bool fits_scalar(const Field& field, TypeKind kind) {
  switch (field.kind) {
    case FieldKind::boolean:
      return kind == TypeKind::boolean;
    case FieldKind::float_:
    case FieldKind::double_:
      return kind == TypeKind::double_ || kind == TypeKind::integer || kind == TypeKind::bigint;
    case FieldKind::string:
    case FieldKind::enumeration:
      return kind == TypeKind::string;
    case FieldKind::bytes:
      return kind == TypeKind::bytes;
    default:
      return is_integral(field.kind) &&
             (kind == TypeKind::integer || kind == TypeKind::bigint || kind == TypeKind::date ||
              kind == TypeKind::time || kind == TypeKind::timestamp);
  }
}

bool fits_known(const Field& field, TypeKind kind) {
  switch (field.message->meaning) {
    case Meaning::timestamp:
      return kind == TypeKind::timestamp;
    case Meaning::date:
      return kind == TypeKind::date;
    case Meaning::time_of_day:
      return kind == TypeKind::time;
    case Meaning::decimal:
      return kind == TypeKind::decimal;
    case Meaning::wrapper:
      return fits_scalar(field.message->fields.front(), kind);
    default:
      return false;
  }
}

Error misfit(const Field& field, const Type& type) {
  return user_error("column {} {} does not fit the field of that name in the Protobuf schema", field.name,
                    type.to_string());
}

Result<Cell> make_cell(const Field& field, const Type& type, bool element);

/// A STRUCT of members of a oneof; in the order of fields it stands where its first member does.
Result<Cell> make_oneof(const Message& message, int oneof, const Type& type) {
  Cell cell;
  cell.oneof = true;
  cell.kind = type.kind();
  for (const StructField& member : type.fields()) {
    const Field* field = message.find(member.name);
    if (field == nullptr || field->oneof != oneof)
      return user_error("field {} is not in oneof {} of message {} of the Protobuf schema", member.name,
                        message.oneofs[static_cast<std::size_t>(oneof)], message.full_name);
    auto child = make_cell(*field, member.type, false);
    if (!child) return child;
    child->column_index = cell.children.size();
    cell.children.push_back(std::move(*child));
  }
  cell.field = cell.children.front().field;
  return cell;
}

Status fill_struct(Cell& cell, const Message& message, const Type& type) {
  std::size_t index = 0;
  for (const StructField& inner : type.fields()) {
    const Field* field = message.find(inner.name);
    const int oneof = field || inner.type.kind() != TypeKind::structure ? -1 : message.find_oneof(inner.name);
    if (oneof >= 0) {
      auto members = make_oneof(message, oneof, inner.type);
      if (!members) return members.error();
      members->column_index = index++;
      cell.children.push_back(std::move(*members));
      continue;
    }
    if (field == nullptr)
      return user_error("field {} is not in message {} of the Protobuf schema", inner.name, message.full_name);
    auto child = make_cell(*field, inner.type, false);
    if (!child) return child.error();
    child->column_index = index++;
    cell.children.push_back(std::move(*child));
  }
  std::ranges::sort(cell.children, {}, [](const Cell& child) { return child.field->number; });
  return {};
}

Result<Cell> make_cell(const Field& field, const Type& type, bool element) {
  Cell cell;
  cell.field = &field;
  cell.kind = type.kind();
  cell.scale = type.scale();
  cell.precision = type.precision();
  set_tag(cell, proto::wire_of(field.kind));
  const bool repeated = field.repeated && !element;
  if (repeated && field.message && field.message->map_entry) {
    if (type.kind() != TypeKind::map) return misfit(field, type);
    cell.map = true;
    for (const auto& [inner, inner_type] :
         {std::pair(&field.message->fields[0], &type.key()), std::pair(&field.message->fields[1], &type.value())}) {
      auto child = make_cell(*inner, *inner_type, false);
      if (!child) return child;
      child->column_index = cell.children.size();
      cell.children.push_back(std::move(*child));
    }
    return cell;
  }
  if (repeated) {
    if (type.kind() != TypeKind::array) return misfit(field, type);
    auto child = make_cell(field, type.element(), true);
    if (!child) return child;
    cell.list = true;
    if (proto::wire_of(field.kind) != Wire::bytes) set_tag(cell, Wire::bytes);
    cell.children.push_back(std::move(*child));
    return cell;
  }
  if (field.message == nullptr) return fits_scalar(field, cell.kind) ? Result<Cell>(cell) : misfit(field, type);
  if (type.kind() == TypeKind::structure) {
    if (auto done = fill_struct(cell, *field.message, type); !done) return done.error();
    return cell;
  }
  return fits_known(field, cell.kind) ? Result<Cell>(cell) : misfit(field, type);
}

void bind_cell(Cell& cell, const Column& column) {
  cell.column = &column;
  cell.data = column.data.data();
  for (Cell& child : cell.children) bind_cell(child, *column.children[child.column_index]);
}

}  // namespace

struct ProtobufWriter::State {
  proto::FilePtr file;
  std::vector<Cell> cells;
  Scratch scratch;
  std::string reason;

  void put_tag(const Cell& cell) {
    char* out = scratch.room(kTagRoom);
    std::memcpy(out, cell.tag, kTagRoom);
    scratch.advance(out + cell.tag_size);
  }
  void put_varint(std::uint64_t value) { scratch.advance(write_varint_wide(value, scratch.room(kMaxVarint))); }
  void put_bytes(std::string_view bytes) {
    char* out = write_varint_wide(bytes.size(), scratch.room(kMaxVarint + bytes.size()));
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    scratch.advance(out + bytes.size());
  }
  template <class T>
  void put_fixed(T value) {
    char* out = scratch.room(sizeof value);
    std::memcpy(out, &value, sizeof value);
    scratch.advance(out + sizeof value);
  }

  static std::int64_t integer_at(const Cell& cell, std::size_t row) {
    const bool wide = cell.kind == TypeKind::bigint || cell.kind == TypeKind::timestamp;
    return wide ? cell.at<std::int64_t>(row) : cell.at<std::int32_t>(row);
  }
  static double double_at(const Cell& cell, std::size_t row) {
    return cell.kind == TypeKind::double_ ? cell.at<double>(row) : static_cast<double>(integer_at(cell, row));
  }

  bool is_default(const Cell& cell, FieldKind kind, std::size_t row) const {
    switch (kind) {
      case FieldKind::boolean:
        return cell.at<std::uint8_t>(row) == 0;
      case FieldKind::string:
      case FieldKind::bytes:
        return cell.at<std::string_view>(row).empty();
      case FieldKind::enumeration:
        return false;
      case FieldKind::float_:
      case FieldKind::double_:
        return std::bit_cast<std::uint64_t>(double_at(cell, row)) == 0;
      default:
        return integer_at(cell, row) == 0;
    }
  }

  bool put_scalar(const Cell& cell, const Field& field, std::size_t row) {
    switch (field.kind) {
      case FieldKind::boolean:
        put_varint(cell.at<std::uint8_t>(row) != 0 ? 1 : 0);
        return true;
      case FieldKind::float_:
        put_fixed(static_cast<float>(double_at(cell, row)));
        return true;
      case FieldKind::double_:
        put_fixed(double_at(cell, row));
        return true;
      case FieldKind::string:
      case FieldKind::bytes:
        put_bytes(cell.at<std::string_view>(row));
        return true;
      case FieldKind::enumeration:
        return put_enumeration(cell, field, row);
      default:
        put_integer(field.kind, integer_at(cell, row));
        return true;
    }
  }

  void put_integer(FieldKind kind, std::int64_t value) {
    switch (kind) {
      case FieldKind::sint32:
      case FieldKind::sint64:
        return put_varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
      case FieldKind::fixed32:
      case FieldKind::sfixed32:
        return put_fixed(static_cast<std::uint32_t>(value));
      case FieldKind::fixed64:
      case FieldKind::sfixed64:
        return put_fixed(static_cast<std::uint64_t>(value));
      case FieldKind::uint32:
        return put_varint(static_cast<std::uint32_t>(value));
      default:
        return put_varint(static_cast<std::uint64_t>(value));
    }
  }

  bool put_enumeration(const Cell& cell, const Field& field, std::size_t row) {
    const auto name = cell.at<std::string_view>(row);
    for (const auto& [number, known] : field.enumeration->values) {
      if (known != name) continue;
      put_varint(static_cast<std::uint64_t>(static_cast<std::int64_t>(number)));
      return true;
    }
    reason = fmt::format("'{}' is not a value of enum field {} in the Protobuf schema", name, field.name);
    return false;
  }

  void put_number_field(std::uint32_t number, std::int64_t value) {
    if (value == 0) return;
    put_varint(number << 3);
    put_varint(static_cast<std::uint64_t>(value));
  }

  bool put_known(const Cell& cell, std::size_t row) {
    const std::size_t start = scratch.open();
    bool good = true;
    switch (cell.field->message->meaning) {
      case Meaning::timestamp: {
        const auto millis = cell.at<std::int64_t>(row);
        put_number_field(1, floor_div(millis, 1000));
        put_number_field(2, floor_mod(millis, 1000) * 1'000'000);
        break;
      }
      case Meaning::date: {
        const CivilDate date = civil_from_days(cell.at<std::int32_t>(row));
        put_number_field(1, date.year);
        put_number_field(2, date.month);
        put_number_field(3, date.day);
        break;
      }
      case Meaning::time_of_day: {
        const auto millis = cell.at<std::int32_t>(row);
        put_number_field(1, millis / 3'600'000);
        put_number_field(2, millis / 60'000 % 60);
        put_number_field(3, millis / 1000 % 60);
        put_number_field(4, std::int64_t{millis % 1000} * 1'000'000);
        break;
      }
      case Meaning::decimal: {
        char digits[16];
        const char* end = write_big_integer(cell.at<Int128>(row), digits);
        put_varint(1 << 3 | static_cast<unsigned>(Wire::bytes));
        put_bytes({digits, static_cast<std::size_t>(end - digits)});
        put_number_field(2, cell.precision);
        put_number_field(3, cell.scale);
        break;
      }
      default: {
        const Field& value = cell.field->message->fields.front();
        if (is_default(cell, value.kind, row)) break;
        put_varint(1 << 3 | static_cast<unsigned>(proto::wire_of(value.kind)));
        good = put_scalar(cell, value, row);
        break;
      }
    }
    scratch.close(start);
    return good;
  }

  /// The value behind its tag. Precondition: not NULL.
  bool put_value(const Cell& cell, std::size_t row) {
    if (cell.field->message == nullptr) return put_scalar(cell, *cell.field, row);
    if (cell.kind != TypeKind::structure) return put_known(cell, row);
    const std::size_t start = scratch.open();
    const bool good = put_fields(cell.children, row);
    scratch.close(start);
    return good;
  }

  bool put_list(const Cell& cell, std::size_t row) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(cell.data) + row;
    const Cell& element = cell.children.front();
    if (offsets[0] == offsets[1]) return true;
    const bool packed = proto::wire_of(cell.field->kind) != Wire::bytes;
    bool good = true;
    if (packed) put_tag(cell);
    const std::size_t start = packed ? scratch.open() : 0;
    for (std::uint32_t i = offsets[0]; i < offsets[1] && good; ++i) {
      if (!packed) put_tag(cell);
      if (!element.column->is_null(i)) {
        good = put_value(element, i);
      } else if (packed && cell.field->kind != FieldKind::enumeration) {
        put_zero(cell.field->kind);
      } else {
        put_varint(0);  // an empty text or message
      }
    }
    if (packed) scratch.close(start);
    return good;
  }

  void put_zero(FieldKind kind) {
    switch (proto::wire_of(kind)) {
      case Wire::fixed32:
        return put_fixed(std::uint32_t{0});
      case Wire::fixed64:
        return put_fixed(std::uint64_t{0});
      default:
        return put_varint(0);
    }
  }

  bool put_map(const Cell& cell, std::size_t row) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(cell.data) + row;
    for (std::uint32_t i = offsets[0]; i < offsets[1]; ++i) {
      put_tag(cell);
      const std::size_t start = scratch.open();
      for (const Cell& child : cell.children) {
        if (child.column->is_null(i)) continue;
        put_tag(child);
        if (!put_value(child, i)) return false;
      }
      scratch.close(start);
    }
    return true;
  }

  /// Of several members that are set the last counts, as for who sets one after another.
  bool put_member(const Cell& cell, std::size_t row) {
    const auto set = std::find_if(cell.children.rbegin(), cell.children.rend(),
                                  [&](const Cell& member) { return !member.column->is_null(row); });
    if (set == cell.children.rend()) return true;
    put_tag(*set);
    return put_value(*set, row);
  }

  bool put_fields(const std::vector<Cell>& fields, std::size_t row) {
    for (const Cell& cell : fields) {
      if (cell.column->is_null(row)) continue;
      if (cell.oneof) {
        if (!put_member(cell, row)) return false;
      } else if (cell.list) {
        if (!put_list(cell, row)) return false;
      } else if (cell.map) {
        if (!put_map(cell, row)) return false;
      } else {
        const bool implicit = !cell.field->presence && cell.field->message == nullptr;
        if (implicit && is_default(cell, cell.field->kind, row)) continue;
        put_tag(cell);
        if (!put_value(cell, row)) return false;
      }
    }
    return true;
  }
};

ProtobufWriter::ProtobufWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProtobufWriter::~ProtobufWriter() = default;

Result<std::unique_ptr<ProtobufWriter>> ProtobufWriter::make(proto::FilePtr file, const proto::Message& message,
                                                             const std::vector<ColumnDef>& columns) {
  auto state = std::make_unique<State>();
  state->file = std::move(file);
  Cell root;
  std::vector<StructField> fields;
  for (const ColumnDef& column : columns) fields.push_back({column.name, column.type});
  // The only key of another relation may go by another name.
  if (fields.size() == 1 && message.fields.size() == 1) fields.front().name = message.fields.front().name;
  if (auto done = fill_struct(root, message, Type::structure(std::move(fields))); !done) return done.error();
  state->cells = std::move(root.children);
  return std::unique_ptr<ProtobufWriter>(new ProtobufWriter(std::move(state)));
}

void ProtobufWriter::bind(std::span<const ColumnPtr> columns) {
  for (Cell& cell : state_->cells) bind_cell(cell, *columns[cell.column_index]);
}

bool ProtobufWriter::write(std::size_t row, TextSink& sink) {
  state_->scratch.clear();
  if (!state_->put_fields(state_->cells, row)) return false;
  sink.append(state_->scratch.text());
  return true;
}

const std::string& ProtobufWriter::reason() const {
  return state_->reason;
}

}  // namespace millrace::inline exec
