#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "exec/schemas/reading_rules.h"

namespace millrace::inline exec {
namespace {

using avro::Kind;

bool promotes(Kind from, Kind to) {
  switch (from) {
    case Kind::int_:
      return to == Kind::long_ || to == Kind::float_ || to == Kind::double_;
    case Kind::long_:
      return to == Kind::float_ || to == Kind::double_;
    case Kind::float_:
      return to == Kind::double_;
    case Kind::string:
      return to == Kind::bytes;
    case Kind::bytes:
      return to == Kind::string;
    default:
      return false;
  }
}

std::string_view plain(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

Finding names(const avro::Node& reader, const avro::Node& writer) {
  if (plain(reader.name) == plain(writer.name) ||
      std::ranges::find(reader.aliases, writer.name) != reader.aliases.end())
    return {};
  return fmt::format("NAME_MISMATCH: expected {}", writer.name);
}

Finding enumeration(const avro::Node& reader, const avro::Node& writer) {
  if (Finding found = names(reader, writer)) return found;
  if (!reader.default_symbol.empty()) return {};
  for (const std::string& symbol : writer.symbols)
    if (std::ranges::find(reader.symbols, symbol) == reader.symbols.end())
      return fmt::format("MISSING_ENUM_SYMBOLS: {} of {}", symbol, reader.name);
  return {};
}

const avro::Field* exact(const avro::Node& record, std::string_view name) {
  const auto found = std::ranges::find(record.fields, name, &avro::Field::name);
  return found == record.fields.end() ? nullptr : &*found;
}

/// Avro's rules of schema resolution.
class AvroCheck {
 public:
  Finding check(const avro::Node& reader, const avro::Node& writer) {
    const Pair pair{&reader, &writer};
    if (const auto known = failed_.find(pair); known != failed_.end()) return known->second;
    if (++steps_ > kMaxSteps || level_ > kMaxLevel) return "TOO_COMPLEX: too many unions, or types in types";
    const std::size_t mark = trail_.size();
    if (!seen_.insert(pair).second) return {};
    trail_.push_back(pair);
    ++level_;
    Finding found = either(reader, writer);
    --level_;
    if (!found) return {};
    // What was taken for good on the way is looked at again where it is met again.
    for (; trail_.size() > mark; trail_.pop_back()) seen_.erase(trail_.back());
    failed_.emplace(pair, *found);
    return found;
  }

 private:
  using Pair = std::pair<const avro::Node*, const avro::Node*>;
  static constexpr std::size_t kMaxSteps = 100'000;
  static constexpr int kMaxLevel = 1000;

  Finding either(const avro::Node& reader, const avro::Node& writer) {
    if (writer.kind == Kind::union_) {
      for (const avro::Node* branch : writer.branches)
        if (Finding found = check(reader, *branch)) return found;
      return {};
    }
    if (reader.kind == Kind::union_) {
      for (const avro::Node* branch : reader.branches)
        if (!check(*branch, writer)) return {};
      return fmt::format("MISSING_UNION_BRANCH: the reader's union lacks a branch for {}", avro::branch_name(writer));
    }
    return same_kind(reader, writer);
  }

  Finding same_kind(const avro::Node& reader, const avro::Node& writer) {
    if (reader.kind != writer.kind) {
      if (promotes(writer.kind, reader.kind)) return {};
      return fmt::format("TYPE_MISMATCH: {} cannot be read as {}", avro::branch_name(writer),
                         avro::branch_name(reader));
    }
    if (reader.logical == avro::Logical::decimal && writer.logical == avro::Logical::decimal &&
        reader.scale != writer.scale)
      return fmt::format("TYPE_MISMATCH: a decimal of scale {} cannot be read at scale {}", writer.scale, reader.scale);
    switch (reader.kind) {
      case Kind::array:
      case Kind::map:
        return check(*reader.element, *writer.element);
      case Kind::fixed:
        if (Finding found = names(reader, writer)) return found;
        return reader.size == writer.size ? Finding() : fmt::format("FIXED_SIZE_MISMATCH: {}", reader.name);
      case Kind::enumeration:
        return enumeration(reader, writer);
      case Kind::record:
        return record(reader, writer);
      default:
        return {};
    }
  }

  Finding record(const avro::Node& reader, const avro::Node& writer) {
    if (Finding found = names(reader, writer)) return found;
    for (const avro::Field& field : reader.fields) {
      const avro::Field* source = exact(writer, field.name);
      for (const std::string& alias : field.aliases)
        if (source == nullptr) source = exact(writer, alias);
      if (source == nullptr) {
        if (field.otherwise) continue;
        return fmt::format("READER_FIELD_MISSING_DEFAULT_VALUE: {}", field.name);
      }
      if (Finding found = check(*field.type, *source->type)) return fmt::format("{} (field {})", *found, field.name);
    }
    return {};
  }

  std::set<Pair> seen_;
  std::vector<Pair> trail_;  // of seen_, in order
  std::map<Pair, std::string> failed_;
  std::size_t steps_ = 0;
  int level_ = 0;
};

}  // namespace

Finding avro_reading_fault(const avro::Node& reader, const avro::Node& writer) {
  return AvroCheck().check(reader, writer);
}

}  // namespace millrace::inline exec
