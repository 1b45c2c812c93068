#include <fmt/format.h>

#include <utility>

#include "exec/formats/codec.h"
#include "exec/formats/json_format.h"
#include "exec/formats/json_layout.h"
#include "exec/formats/json_reader.h"

namespace millrace::inline exec {

namespace {

using json::FieldTarget;
using json::kNoSlot;
using json::NameMatch;
using json::skip_space;

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(std::vector<std::string> names, const std::vector<Type>& types, bool bare)
      : names_(std::move(names)),
        writers_(make_writers(types)),
        stamps_(names_.size(), 0),
        layout_(names_),
        bare_(bare) {}

  void decode(std::span<const std::optional<std::string_view>> inputs, const std::shared_ptr<const void>& owner,
              std::vector<ColumnPtr>& out, Bitmap& bad, RowErrors& errors) override {
    const std::size_t rows = inputs.size();
    for (auto& writer : writers_) writer.start(rows);
    reader_.start();
    for (std::size_t row = 0; row < rows; ++row) {
      if (inputs[row]) {
        const char* at = inputs[row]->data();
        if (read_record(at, at + inputs[row]->size(), row)) continue;
        bad.set(row, rows);
        report(*inputs[row], row, errors);
      }
      for (auto& writer : writers_) writer.set_null(row);
    }
    std::vector<std::shared_ptr<const void>> owners;
    if (owner) owners.push_back(owner);
    if (reader_.arena()) owners.push_back(reader_.arena());
    for (auto& writer : writers_) out.push_back(writer.finish(rows, owners));
  }

 private:
  bool read_record(const char* at, const char* end, std::size_t row) {
    failed_ = kNoSlot;
    reader_.start_record();
    at = json::skip_to_value(at, end);
    const bool null = at != end && *at == 'n';
    if (bare_ || null) {
      at = read_bare(at, end, row);
    } else {
      const char* const begin = at;
      at = read_object(at, end, row);
      if (at == nullptr && failed_ != kNoSlot) at = read_located(begin, end, row);
    }
    if (at == nullptr) return false;
    if (json::ends_value(at, end)) return true;  // what follows does not count
    failed_ = kNoSlot;
    reader_.fail_malformed();
    return false;
  }

  /// A column could not take a value: perhaps a later one of its name replaces it.
  const char* read_located(const char* at, const char* end, std::size_t row) {
    std::vector<json::MemberMatch> located(names_.size());
    at = json::locate_members(at, end, located, [this](std::size_t i) -> std::string_view { return names_[i]; });
    if (at == nullptr) return fail_object();
    for (std::uint32_t slot = 0; slot < writers_.size(); ++slot) {
      failed_ = slot;
      if (located[slot].value == nullptr)
        writers_[slot].set_null(row);
      else if (reader_.read(located[slot].value, end, writers_[slot], row) == nullptr)
        return nullptr;
    }
    return at;
  }

  /// The whole text is the one column, or null.
  const char* read_bare(const char* at, const char* end, std::size_t row) {
    const char* after = nullptr;
    for (std::uint32_t slot = 0; slot < writers_.size(); ++slot) {
      failed_ = slot;
      after = reader_.read(at, end, writers_[slot], row);
      if (after == nullptr) return nullptr;
    }
    if (after == nullptr) after = json::skip_value(at, end);
    if (after == nullptr) reader_.fail_malformed();
    return after;
  }

  const char* read_object(const char* at, const char* end, std::size_t row) {
    if (at == end || *at != '{') return reader_.fail_malformed();
    serial_ += 4;
    missing_ = writers_.size();
    at = skip_space(at + 1, end);
    std::size_t field = 0;
    bool more = at == end || *at != '}';
    if (!more) ++at;
    while (more) {
      at = layout_.skip_unwanted(at, end, field, more);
      if (!more) break;
      FieldTarget target;
      at = layout_.enter(at, end, field, target);
      if (at == nullptr) return fail_object();
      if (at != end && json::is_space(*at)) at = skip_space(at, end);
      at = read_field(at, end, target, row);
      if (at == nullptr) return nullptr;
      if (at != end && json::is_space(*at)) at = skip_space(at, end);
      if (at == end || (*at != ',' && *at != '}')) return fail_object();
      more = *at++ == ',';
      if (more && at != end && json::is_space(*at)) at = skip_space(at, end);
    }
    if (missing_ != 0) fill_missing(row);
    return at;
  }

  const char* fail_object() {
    failed_ = kNoSlot;
    return reader_.fail_malformed();
  }

  const char* read_field(const char* at, const char* end, FieldTarget target, std::size_t row) {
    if (target.exact == kNoSlot && target.upper == kNoSlot) {
      at = json::skip_value(at, end);
      return at == nullptr ? fail_object() : at;
    }
    const char* after = at;
    if (target.exact != kNoSlot) after = read_slot(at, end, target.exact, NameMatch::exact, row);
    if (after != nullptr && target.upper != kNoSlot)
      after = read_slot(at, end, target.upper, NameMatch::upper_cased, row);
    return after;
  }

  const char* read_slot(const char* at, const char* end, std::uint32_t slot, NameMatch match, std::size_t row) {
    const std::uint64_t stamp = serial_ + static_cast<std::uint64_t>(match);
    std::uint64_t& last = stamps_[slot];
    if (stamp < last) {  // a better match came before
      at = json::skip_value(at, end);
      return at == nullptr ? fail_object() : at;
    }
    if (last < serial_) --missing_;
    last = stamp;
    failed_ = slot;
    return reader_.read(at, end, writers_[slot], row);
  }

  void fill_missing(std::size_t row) {
    for (std::size_t slot = 0; slot < writers_.size(); ++slot)
      if (stamps_[slot] < serial_) writers_[slot].set_null(row);
  }

  void report(std::string_view text, std::size_t row, RowErrors& errors) {
    const std::string& reason = reader_.reason();
    if (reason == json::kMalformed) {
      errors.add(static_cast<std::uint32_t>(row), json::broken_reason(text));
    } else if (failed_ == kNoSlot) {
      errors.add(static_cast<std::uint32_t>(row), reason);
    } else {
      errors.add(static_cast<std::uint32_t>(row), fmt::format("{}: {}", names_[failed_], reason));
    }
  }

  std::vector<std::string> names_;
  std::vector<ColumnWriter> writers_;
  // When and how well each column was last fed: the record's serial number plus a NameMatch.
  std::vector<std::uint64_t> stamps_;
  std::uint64_t serial_ = 0;
  std::size_t missing_ = 0;
  std::uint32_t failed_ = kNoSlot;
  json::RecordLayout layout_;
  json::ValueReader reader_;
  bool bare_;
};

}  // namespace

std::unique_ptr<Decoder> make_json_decoder(std::vector<ColumnDef> columns, std::vector<std::size_t> wanted, bool bare) {
  std::vector<std::string> names;
  std::vector<Type> types;
  for (const std::size_t index : wanted) {
    names.push_back(columns[index].name);
    types.push_back(columns[index].type);
  }
  return std::make_unique<JsonDecoder>(std::move(names), types, bare);
}

Codec json_codec() {
  return {
      [](DecoderPlan plan) { return make_json_decoder(std::move(plan.columns), std::move(plan.wanted), plan.bare); },
      [](EncoderPlan plan) { return make_json_encoder(std::move(plan.columns), plan.bare); }};
}

}  // namespace millrace::inline exec
