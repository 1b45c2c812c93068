#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "exec/formats/format.h"

namespace millrace::testing {

inline ColumnDef column(std::string name, Type type) {
  return {std::move(name), std::move(type), ColumnRole::value, std::nullopt};
}

struct Decoded {
  std::vector<ColumnPtr> columns;
  Bitmap bad;
  RowErrors errors;
  Value at(std::size_t column, std::size_t row = 0) const { return get_value(*columns[column], row); }
};

/// Copies the texts and hands the copies over as owner, so that views into them must be kept alive by the columns.
inline Decoded decode_all(Decoder& decoder, const std::vector<std::optional<std::string>>& texts) {
  auto copies = std::make_shared<std::vector<std::unique_ptr<char[]>>>();
  std::vector<std::optional<std::string_view>> inputs;
  for (const auto& text : texts) {
    if (!text) {
      inputs.emplace_back();
      continue;
    }
    // Exactly as long as the text: reading beyond it is seen by the sanitizer.
    copies->push_back(std::make_unique<char[]>(text->size()));
    std::copy(text->begin(), text->end(), copies->back().get());
    inputs.emplace_back(std::string_view(copies->back().get(), text->size()));
  }
  Decoded out;
  decoder.decode(inputs, copies, out.columns, out.bad, out.errors);
  return out;
}

inline std::vector<std::size_t> all_of(std::size_t count) {
  std::vector<std::size_t> wanted(count);
  for (std::size_t i = 0; i < count; ++i) wanted[i] = i;
  return wanted;
}

inline Decoded decode(const FormatInfo& format, const std::vector<ColumnDef>& columns,
                      const std::vector<std::optional<std::string>>& texts, bool is_key = false) {
  return decode_all(*make_decoder(format, columns, all_of(columns.size()), is_key), texts);
}

inline std::vector<ColumnPtr> build_columns(const std::vector<ColumnDef>& columns,
                                            const std::vector<std::vector<Value>>& rows) {
  std::vector<ColumnPtr> built;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnBuilder builder(columns[i].type);
    for (const auto& row : rows) builder.append(row[i]);
    built.push_back(builder.finish());
  }
  return built;
}

inline std::vector<std::string> encode(const FormatInfo& format, const std::vector<ColumnDef>& columns,
                                       const std::vector<std::vector<Value>>& rows, bool is_key = false) {
  Encoded out;
  EXPECT_TRUE(
      make_encoder(format, columns, is_key)->encode(build_columns(columns, rows), rows.size(), out).has_value());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < rows.size(); ++i) texts.emplace_back(out.row(i));
  return texts;
}

inline const FormatInfo kJson{"JSON", ',', true};
inline const FormatInfo kJsonBare{"JSON", ',', false};
inline const FormatInfo kDelimited{"DELIMITED", ',', true};
inline const FormatInfo kKafka{"KAFKA", ',', true};
inline const FormatInfo kRow{"ROW", ',', true};

}  // namespace millrace::testing
