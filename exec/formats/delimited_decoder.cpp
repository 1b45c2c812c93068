#include <fmt/format.h>

#include <utility>

#include "exec/formats/codec.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/csv_line.h"
#include "exec/formats/delimited_format.h"
#include "exec/formats/scalar_text.h"
#include "exec/formats/utf8_text.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kUnread = ~std::size_t{0};

class DelimitedDecoder final : public Decoder {
 public:
  DelimitedDecoder(char delimiter, std::vector<ColumnDef> columns, const std::vector<std::size_t>& wanted)
      : delimiter_(delimiter), columns_(std::move(columns)), slots_(columns_.size(), kUnread) {
    for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
      slots_[wanted[slot]] = slot;
      writers_.emplace_back(columns_[wanted[slot]].type);
      copies_ |= columns_[wanted[slot]].type.kind() == TypeKind::bytes;
    }
  }

  void decode(std::span<const std::optional<std::string_view>> inputs, const std::shared_ptr<const void>& owner,
              std::vector<ColumnPtr>& out, Bitmap& bad, RowErrors& errors) override {
    const std::size_t rows = inputs.size();
    for (auto& writer : writers_) writer.start(rows);
    arena_ = copies_ ? std::make_shared<Arena>() : nullptr;
    for (std::size_t row = 0; row < rows; ++row) {
      if (inputs[row]) {
        if (read_line(*inputs[row], row)) continue;
        bad.set(row, rows);
        errors.add(static_cast<std::uint32_t>(row), reason_);
      }
      for (auto& writer : writers_) writer.set_null(row);
    }
    std::vector<std::shared_ptr<const void>> owners;
    if (owner) owners.push_back(owner);
    if (arena_) owners.push_back(arena_);
    for (auto& writer : writers_) out.push_back(writer.finish(rows, owners));
  }

 private:
  bool read_line(std::string_view text, std::size_t row) {
    CsvLine line(as_utf8(text, arena_), delimiter_);
    if (line.blank()) return fail("no fields");
    std::size_t fields = 0;
    CsvField field;
    while (line.next(field)) {
      if (fields < columns_.size() && slots_[fields] != kUnread && !store(fields, field, row)) return false;
      ++fields;
    }
    if (line.broken()) return fail("a quote is not closed, or something follows a closing quote");
    if (fields == columns_.size()) return true;
    return fail(fmt::format("{} fields where there are {} columns", fields, columns_.size()));
  }

  bool store(std::size_t index, const CsvField& field, std::size_t row) {
    ColumnWriter& writer = writers_[slots_[index]];
    if (field.text.empty()) {
      writer.set_null(row);
      return true;
    }
    std::string_view text = field.text;
    if (field.doubled_quotes) {
      if (!arena_) arena_ = std::make_shared<Arena>();
      text = without_doubled_quotes(text, arena_->allocate(text.size()));
    }
    if (set_from_text(text, writer, row, arena_.get())) return true;
    return fail(
        fmt::format("{}: '{:.50}' cannot be read as {}", columns_[index].name, text, writer.type().to_string()));
  }

  bool fail(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  char delimiter_;
  std::vector<ColumnDef> columns_;
  std::vector<std::size_t> slots_;  // of each column, kUnread: not wanted
  std::vector<ColumnWriter> writers_;
  bool copies_ = false;
  std::shared_ptr<Arena> arena_;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Decoder> make_delimited_decoder(char delimiter, std::vector<ColumnDef> columns,
                                                std::vector<std::size_t> wanted) {
  return std::make_unique<DelimitedDecoder>(delimiter, std::move(columns), wanted);
}

Codec delimited_codec() {
  return {[](DecoderPlan plan) {
            return make_delimited_decoder(plan.format.delimiter, std::move(plan.columns), std::move(plan.wanted));
          },
          [](EncoderPlan plan) { return make_delimited_encoder(plan.format.delimiter, std::move(plan.columns)); }};
}

}  // namespace millrace::inline exec
