#include "server/session/pull_cache.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "planner/bind/binder.h"
#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"
#include "planner/types/cast.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kMostShapes = 1000;

void add_fixed(StatementShape& shape, const std::vector<std::size_t>& fixed) {
  for (const std::size_t literal : fixed) {
    shape.key += '\n';
    shape.key += shape.literals[literal].characters;
  }
}

struct Read {
  Value value;
  Type type;
};

/// A number as the parser and the binder make it.
std::optional<Read> read_number(const LiteralToken& literal, bool negative) {
  const std::string_view characters = literal.characters;
  if (literal.kind == LiteralToken::Kind::integer || literal.kind == LiteralToken::Kind::bigint) {
    std::int64_t value = 0;
    std::from_chars(characters.data(), characters.data() + characters.size(), value);
    if (negative) value = -value;
    if (literal.kind == LiteralToken::Kind::bigint) return Read{value, Type::bigint()};
    return Read{static_cast<std::int32_t>(value), Type::integer()};
  }
  const std::string text = (negative ? "-" : "") + std::string(characters);
  if (literal.kind == LiteralToken::Kind::decimal) {
    auto number = parse_decimal(text);
    return number ? std::optional(Read{std::move(number->value), std::move(number->type)}) : std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || std::isinf(value)) return std::nullopt;
  return Read{value, Type::double_()};
}

}  // namespace

KnownPull::KnownPull(std::shared_ptr<const PhysicalPlan> plan, std::optional<std::int64_t> allowed_lag,
                     std::string kept_source)
    : pull(std::make_shared<PreparedPull>(plan, allowed_lag)), columns(plan->result), kept(std::move(kept_source)) {}

std::shared_ptr<const KnownPull> KnownPull::make(std::shared_ptr<const PhysicalPlan> plan,
                                                 std::optional<std::int64_t> allowed_lag, std::string kept,
                                                 const std::vector<PullParameter>& parameters, std::string_view text,
                                                 const StatementShape& shape) {
  auto made = std::make_shared<KnownPull>(std::move(plan), allowed_lag, std::move(kept));
  std::vector<bool> lifted(shape.literals.size());
  for (const PullParameter& parameter : parameters) {
    const Span span = parameter.literal;
    const auto token = std::ranges::find(shape.literals, span.end, &LiteralToken::end);
    if (token == shape.literals.end()) return nullptr;
    const bool negative = span.begin != token->begin;
    if (negative && text[span.begin] != '-') return nullptr;
    const auto literal = static_cast<std::size_t>(token - shape.literals.begin());
    lifted[literal] = true;
    made->places_.push_back({literal, negative, parameter.type, parameter.time});
  }
  for (std::size_t i = 0; i < lifted.size(); ++i)
    if (!lifted[i]) made->fixed_.push_back(i);
  return made;
}

std::optional<std::vector<Value>> KnownPull::values(const StatementShape& shape) const {
  std::vector<Value> values;
  values.reserve(places_.size());
  for (const Place& place : places_) {
    auto value = value_of(place, shape.literals[place.literal]);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
  }
  return values;
}

std::optional<Value> KnownPull::value_of(const Place& place, const LiteralToken& literal) {
  if (literal.kind == LiteralToken::Kind::text) {
    std::string text = unquoted(literal.characters);
    if (!place.time) return Value(std::move(text));
    const auto millis = parse_partial_timestamp(text);
    return millis ? std::optional<Value>(*millis) : std::nullopt;
  }
  auto read = read_number(literal, place.negative);
  if (!read) return std::nullopt;
  if (read->type == place.type) return std::move(read->value);
  Value value;
  std::string why;
  if (!cast_value(read->value, read->type, place.type, value, why)) return std::nullopt;
  return value;
}

const PullCache::Entry* PullCache::look(std::string_view key, std::uint64_t version) const {
  const auto found = pulls_.find(key);
  return found != pulls_.end() && found->second.version == version ? &found->second : nullptr;
}

KnownPullPtr PullCache::find(StatementShape& shape, std::uint64_t version) const {
  const MutexLock lock(mutex_);
  const Entry* entry = look(shape.key, version);
  if (entry != nullptr && !entry->fixed.empty()) {
    add_fixed(shape, entry->fixed);
    entry = look(shape.key, version);
  }
  return entry != nullptr ? entry->pull : nullptr;
}

void PullCache::put(StatementShape& shape, std::uint64_t version, KnownPullPtr pull) {
  const MutexLock lock(mutex_);
  if (pulls_.size() >= kMostShapes) pulls_.clear();
  if (!pull->fixed().empty()) {
    pulls_.insert_or_assign(shape.key, Entry{version, pull->fixed(), nullptr});
    add_fixed(shape, pull->fixed());
  }
  pulls_.insert_or_assign(shape.key, Entry{version, {}, std::move(pull)});
}

}  // namespace millrace::inline server
