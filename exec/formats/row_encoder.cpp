#include <cstring>

#include "exec/formats/row_format.h"
#include "exec/formats/row_layout.h"
#include "exec/formats/text_sink.h"

namespace millrace::inline exec {

namespace {

/// A column and where its values lie in the current batch.
struct Cell {
  TypeKind kind;
  std::size_t width;  // 0: variable
  std::vector<Cell> children;
  const Column* column = nullptr;
  const std::byte* data = nullptr;
};

Cell make_cell(const Type& type) {
  Cell cell{.kind = type.kind(), .width = row_width(type), .children = {}};
  if (cell.kind == TypeKind::array) cell.children.push_back(make_cell(type.element()));
  if (cell.kind == TypeKind::map) cell.children = {make_cell(type.key()), make_cell(type.value())};
  if (cell.kind == TypeKind::structure)
    for (const StructField& field : type.fields()) cell.children.push_back(make_cell(field.type));
  return cell;
}

void bind(Cell& cell, const Column& column) {
  cell.column = &column;
  cell.data = column.data.data();
  for (std::size_t i = 0; i < cell.children.size(); ++i) bind(cell.children[i], *column.children[i]);
}

class RowEncoder final : public Encoder {
 public:
  explicit RowEncoder(const std::vector<ColumnDef>& columns) {
    for (const ColumnDef& column : columns) cells_.push_back(make_cell(column.type));
  }

  Status encode(std::span<const ColumnPtr> columns, std::size_t rows, Encoded& out) override {
    for (std::size_t i = 0; i < cells_.size(); ++i) bind(cells_[i], *columns[i]);
    sink_.start(out);
    for (std::size_t row = 0; row < rows; ++row) {
      write_row(cells_, row);
      sink_.end_row();
    }
    sink_.finish();
    return {};
  }

 private:
  void write_row(const std::vector<Cell>& cells, std::size_t row) {
    const std::size_t bitmap_size = bitmap_bytes(cells.size());
    char* bitmap = write_varint(cells.size(), sink_.room(kMaxVarint + bitmap_size));
    std::memset(bitmap, 0, bitmap_size);
    for (std::size_t i = 0; i < cells.size(); ++i)
      if (cells[i].column->is_null(row)) bitmap[i >> 3] = static_cast<char>(bitmap[i >> 3] | (1 << (i & 7)));
    sink_.advance(bitmap + bitmap_size);
    for (const Cell& cell : cells)
      if (!cell.column->is_null(row)) write_value(cell, row);
  }

  void write_value(const Cell& cell, std::size_t row) {
    char* out = sink_.room(16);
    // A short DECIMAL is the low half of its 16 bytes.
    switch (cell.width) {
      case 1:
        std::memcpy(out, cell.data + row, 1);
        break;
      case 4:
        std::memcpy(out, cell.data + row * 4, 4);
        break;
      case 8:
        std::memcpy(out, cell.data + row * (cell.kind == TypeKind::decimal ? 16 : 8), 8);
        break;
      case 16:
        std::memcpy(out, cell.data + row * 16, 16);
        break;
      default:
        return write_variable(cell, row);
    }
    sink_.advance(out + cell.width);
  }

  void write_variable(const Cell& cell, std::size_t row) {
    if (cell.kind == TypeKind::structure) return write_row(cell.children, row);
    if (cell.kind == TypeKind::string || cell.kind == TypeKind::bytes) {
      const auto text = reinterpret_cast<const std::string_view*>(cell.data)[row];
      char* out = write_varint(text.size(), sink_.room(kMaxVarint + text.size()));
      if (!text.empty()) std::memcpy(out, text.data(), text.size());
      return sink_.advance(out + text.size());
    }
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(cell.data) + row;
    sink_.advance(write_varint(offsets[1] - offsets[0], sink_.room(kMaxVarint)));
    for (const Cell& child : cell.children) write_elements(child, offsets[0], offsets[1]);
  }

  void write_elements(const Cell& cell, std::uint32_t from, std::uint32_t to) {
    const std::size_t bitmap_size = bitmap_bytes(to - from);
    char* bitmap = sink_.room(bitmap_size);
    std::memset(bitmap, 0, bitmap_size);
    for (std::uint32_t i = from; i < to; ++i)
      if (cell.column->is_null(i))
        bitmap[(i - from) >> 3] = static_cast<char>(bitmap[(i - from) >> 3] | (1 << ((i - from) & 7)));
    sink_.advance(bitmap + bitmap_size);
    for (std::uint32_t i = from; i < to; ++i)
      if (!cell.column->is_null(i)) write_value(cell, i);
  }

  std::vector<Cell> cells_;
  TextSink sink_;
};

}  // namespace

std::unique_ptr<Encoder> make_row_encoder(std::vector<ColumnDef> columns) {
  return std::make_unique<RowEncoder>(columns);
}

}  // namespace millrace::inline exec
