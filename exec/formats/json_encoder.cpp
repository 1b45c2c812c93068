#include <algorithm>
#include <cmath>
#include <utility>

#include "exec/formats/json_format.h"
#include "exec/formats/json_text.h"
#include "exec/formats/text_sink.h"
#include "planner/types/base64.h"

namespace millrace::inline exec {

namespace {

/// One column, field or element: what stands before its value, and where its values lie in the current batch.
struct Node {
  TypeKind kind = TypeKind::null;
  int scale = 0;
  std::string prefix;
  char short_prefix[32] = {};
  std::vector<Node> children;
  const Column* column = nullptr;
  const std::byte* data = nullptr;
  bool nullable = false;
  bool leave_out_null = false;  // by the object it is in, which is sparse then: its prefixes are names alone
  bool sparse = false;
  bool choice = false;  // STRUCT: the one field that has a value stands for the whole

  /// A copy of fixed size where that is enough, beyond the prefix's end too. Room: prefix.size() and kNumberRoom.
  char* write_prefix(char* out) const {
    if (prefix.size() > sizeof short_prefix) return write_text(prefix, out);
    std::memcpy(out, short_prefix, sizeof short_prefix);
    return out + prefix.size();
  }
  template <class T>
  T at(std::size_t row) const {
    return reinterpret_cast<const T*>(data)[row];
  }
};

bool is_sparse(const std::vector<json_schema::Shape>& shapes) {
  return std::ranges::any_of(shapes, &json_schema::Shape::leave_out_null);
}

std::string field_prefix(std::string_view name, bool first, bool sparse) {
  std::string prefix(sparse ? "" : first ? "{" : ",");
  append_json_string(name, prefix);
  prefix += ':';
  return prefix;
}

using Shape = json_schema::Shape;

/// `shape`: null where nothing says how it is written.
Node make_node(const Type& type, std::string prefix, const Shape* shape) {
  Node node{.kind = type.kind(), .scale = type.scale(), .prefix = std::move(prefix), .children = {}};
  if (node.prefix.size() <= sizeof node.short_prefix) write_text(node.prefix, node.short_prefix);
  node.choice = shape && shape->choice;
  node.leave_out_null = shape && shape->leave_out_null;
  node.sparse = shape && is_sparse(shape->children);
  const auto child = [&](const Type& inner, std::string before) {
    const Shape* known = shape ? &shape->children[node.children.size()] : nullptr;
    node.children.push_back(make_node(inner, std::move(before), known));
  };
  if (node.kind == TypeKind::array) child(type.element(), "");
  if (node.kind == TypeKind::map) {
    child(type.key(), "");
    child(type.value(), "");
  }
  if (node.kind == TypeKind::structure)
    for (std::size_t i = 0; i < type.fields().size(); ++i)
      child(type.fields()[i].type,
            node.choice ? ""
                        : field_prefix(shape ? shape->children[i].name : type.fields()[i].name, i == 0, node.sparse));
  return node;
}

void bind(Node& node, const Column& column) {
  node.column = &column;
  node.data = column.data.data();
  node.nullable = !column.nulls.empty();
  for (std::size_t i = 0; i < node.children.size(); ++i) bind(node.children[i], *column.children[i]);
}

class JsonEncoder final : public Encoder {
 public:
  JsonEncoder(const std::vector<ColumnDef>& columns, bool bare, std::string frame, const std::vector<Shape>& shapes)
      : bare_(bare), sparse_(!bare && is_sparse(shapes)), frame_(std::move(frame)) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Shape* shape = shapes.empty() ? nullptr : &shapes[i];
      const std::string& name = shape ? shape->name : columns[i].name;
      nodes_.push_back(make_node(columns[i].type, bare ? "" : field_prefix(name, i == 0, sparse_), shape));
    }
  }

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    for (std::size_t i = 0; i < nodes_.size(); ++i) bind(nodes_[i], *columns[i]);
    sink_.start(out);
    for (std::size_t row = 0; row < rows; ++row) {
      sink_.append(frame_);
      if (sparse_)
        write_sparse(nodes_, row);
      else
        write_fields(nodes_, row, !bare_);
      sink_.end_row();
    }
    sink_.finish();
    return {};
  }

 private:
  void write_fields(const std::vector<Node>& nodes, std::size_t row, bool braces) {
    for (const Node& node : nodes) write(node, row);
    if (braces) sink_.append(nodes.empty() ? "{}" : "}");
  }

  void write(const Node& node, std::size_t row) {
    char* out = node.write_prefix(sink_.room(node.prefix.size() + kNumberRoom + 2));
    if (node.nullable && node.column->is_null(row)) {
      sink_.advance(write_text("null", out));
      return;
    }
    switch (node.kind) {
      case TypeKind::boolean:
        out = write_text(node.at<std::uint8_t>(row) != 0 ? "true" : "false", out);
        break;
      case TypeKind::integer:
      case TypeKind::time:
      case TypeKind::date:
        out = write_integer(node.at<std::int32_t>(row), out);
        break;
      case TypeKind::bigint:
      case TypeKind::timestamp:
        out = write_integer(node.at<std::int64_t>(row), out);
        break;
      case TypeKind::double_:
        out = write_number(node.at<double>(row), out);
        break;
      case TypeKind::decimal:
        out = write_decimal(node.at<Int128>(row), node.scale, out);
        break;
      default:
        sink_.advance(out);
        write_variable(node, row);
        return;
    }
    sink_.advance(out);
  }

  // JSON has no such numbers: quoted, as Java's writers do.
  static char* write_number(double value, char* out) {
    if (std::isfinite(value)) return write_double(value, out);
    *out++ = '"';
    out = write_double(value, out);
    *out++ = '"';
    return out;
  }

  void write_variable(const Node& node, std::size_t row) {
    switch (node.kind) {
      case TypeKind::string:
        write_string(node.at<std::string_view>(row));
        break;
      case TypeKind::bytes:
        write_bytes(node.at<std::string_view>(row));
        break;
      case TypeKind::array:
        write_array(node, row);
        break;
      case TypeKind::map:
        write_map(node, row);
        break;
      case TypeKind::structure:
        if (node.choice)
          write_choice(node, row);
        else if (node.sparse)
          write_sparse(node.children, row);
        else
          write_fields(node.children, row, true);
        break;
      default:
        break;
    }
  }

  void write_string(std::string_view text) {
    sink_.advance(write_json_string(text, sink_.room(text.size() * 6 + kStringRoom)));
  }

  void write_bytes(std::string_view bytes) {
    char* out = sink_.room(base64_size(bytes.size()) + 2);
    *out++ = '"';
    out = base64_write(bytes, out);
    *out++ = '"';
    sink_.advance(out);
  }

  void write_sparse(const std::vector<Node>& nodes, std::size_t row) {
    bool first = true;
    for (const Node& node : nodes) {
      if (node.leave_out_null && node.nullable && node.column->is_null(row)) continue;
      sink_.append(std::exchange(first, false) ? "{" : ",");
      write(node, row);
    }
    sink_.append(first ? "{}" : "}");
  }

  void write_choice(const Node& node, std::size_t row) {
    for (const Node& child : node.children)
      if (!child.nullable || !child.column->is_null(row)) return write(child, row);
    sink_.append("null");
  }

  void write_array(const Node& node, std::size_t row) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(node.data);
    sink_.append("[");
    for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      if (i != offsets[row]) sink_.append(",");
      write(node.children[0], i);
    }
    sink_.append("]");
  }

  void write_map(const Node& node, std::size_t row) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(node.data);
    sink_.append("{");
    for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      if (i != offsets[row]) sink_.append(",");
      // Names are strings; other keys become their text.
      const bool quoted = node.children[0].kind == TypeKind::string && !node.children[0].column->is_null(i);
      if (!quoted) sink_.append("\"");
      write(node.children[0], i);
      sink_.append(quoted ? ":" : "\":");
      write(node.children[1], i);
    }
    sink_.append("}");
  }

  std::vector<Node> nodes_;
  const bool bare_, sparse_;
  std::string frame_;
  TextSink sink_;
};

}  // namespace

std::unique_ptr<Encoder> make_json_encoder(std::vector<ColumnDef> columns, bool bare, std::string frame,
                                           const std::vector<json_schema::Shape>& shapes) {
  return std::make_unique<JsonEncoder>(columns, bare, std::move(frame), shapes);
}

}  // namespace millrace::inline exec
