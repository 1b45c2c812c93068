#include <algorithm>
#include <numeric>

#include "exec/formats/json_reader.h"
#include "exec/formats/json_walk.h"
#include "exec/formats/names.h"

namespace millrace::inline exec::json {

namespace {

/// Takes what one level pushed off a stack again.
template <class T>
struct Unwind {
  std::vector<T>& stack;
  std::size_t base;
  ~Unwind() { stack.resize(base); }
};

constexpr std::size_t kLinearKeys = 16;

bool has_duplicates(std::span<const std::string_view> keys) {
  if (keys.size() <= kLinearKeys) {
    for (std::size_t i = 1; i < keys.size(); ++i)
      if (std::find(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i), keys[i]) !=
          keys.begin() + static_cast<std::ptrdiff_t>(i))
        return true;
    return false;
  }
  std::vector<std::string_view> sorted(keys.begin(), keys.end());
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

// Connect's fields for a JSON Schema's choice of several types. The value itself stands in the text, bare.
constexpr std::string_view kUnionField = "connect_union_field_";

bool is_union_name(std::string_view name) {
  return name.size() > kUnionField.size() &&
         std::equal(kUnionField.begin(), kUnionField.end(), name.begin(), [](char wanted, char c) {
           return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
         });
}

template <class Fields>
bool is_union(const Fields& fields) {
  return !fields.empty() && is_union_name(fields.front().name);
}

/// The first name in an object; empty: none, or it is no object.
std::string_view first_name(const char* at, const char* end) {
  if (*at != '{') return {};
  at = skip_space(at + 1, end);
  if (at == end || *at != '"') return {};
  const char* const close = scan_string(at + 1, end).close;
  return close == nullptr ? std::string_view() : std::string_view(at + 1, close);
}

/// Whether an object holds the fields by their own names, as we write them.
bool names_union_field(const char* at, const char* end) {
  return is_union_name(first_name(at, end));
}

/// How well a type suits the value that begins at `at`; 0: not at all.
int suits(const Type& type, const char* at, const char* end) {
  switch (type.kind()) {
    case TypeKind::boolean:
      return *at == 't' || *at == 'f';
    case TypeKind::string:
    case TypeKind::bytes:
      return *at == '"';
    case TypeKind::array:
      return *at == '[';
    case TypeKind::map:
      return *at == '{';
    case TypeKind::structure: {
      const std::string_view name = first_name(at, end);
      const auto fields = type.fields();
      const bool known = std::any_of(fields.begin(), fields.end(), [&](const StructField& field) {
        return match_name(field.name, name) != NameMatch::none;
      });
      return *at != '{' ? 0 : known ? 3 : 1;
    }
    case TypeKind::double_:
    case TypeKind::decimal:
      return *at == '-' || is_digit(*at);
    default: {  // whole numbers
      bool integral = false;
      return (*at == '-' || is_digit(*at)) && scan_number(at, end, integral) != nullptr && integral ? 2 : 0;
    }
  }
}

}  // namespace

const char* ValueReader::read_array(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  if (*at != '[') return mismatch(at, out);
  if (depth >= kMaxDepth) return fail_malformed();
  out.begin_list(row);
  at = skip_space(at + 1, end);
  bool more = at == end || *at != ']';
  if (!more) ++at;
  while (more) {
    at = read(at, end, out.child(0), out.next_element(), depth + 1);
    if (at == nullptr) return nullptr;
    out.add_element();
    at = next_or_close(at, end, ']', more);
    if (at == nullptr) return fail_malformed();
  }
  out.end_list(row);
  return at;
}

bool ValueReader::read_map_key(std::string_view text, ColumnWriter& out, std::size_t row) {
  if (out.type().is_nested()) {
    reason_ = "a map key cannot be read as " + out.type().to_string();
    return false;
  }
  if (out.kind() == TypeKind::bytes) arena_for_copy();
  return scalar_from_text(text, out, row);
}

const char* ValueReader::read_map(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  if (*at != '{') return mismatch(at, out);
  if (depth >= kMaxDepth) return fail_malformed();
  const char* const begin = at;
  const std::size_t base = keys_.size();
  const Unwind unwind{keys_, base};
  out.begin_list(row);
  at = skip_space(at + 1, end);
  bool more = at == end || *at != '}';
  if (!more) ++at;
  while (more) {
    std::string_view key;
    if (at == end || *at != '"' || !take_string(at, end, key)) return fail_malformed();
    at = skip_colon(at, end);
    if (at == nullptr) return fail_malformed();
    const std::size_t element = out.next_element();
    if (!read_map_key(key, out.child(0), element)) return nullptr;
    at = read(at, end, out.child(1), element, depth + 1);
    if (at == nullptr) return may_retry() ? read_map_unique(begin, end, out, row, depth) : nullptr;
    out.add_element();
    keys_.push_back(key);
    at = next_or_close(at, end, '}', more);
    if (at == nullptr) return fail_malformed();
  }
  if (has_duplicates(std::span(keys_).subspan(base))) return read_map_unique(begin, end, out, row, depth);
  out.end_list(row);
  return at;
}

// Where a key comes twice its last value counts, whatever the others hold. Rare: the object is simply read again.
const char* ValueReader::read_map_unique(const char* at, const char* end, ColumnWriter& out, std::size_t row,
                                         int depth) {
  std::vector<std::pair<std::string_view, const char*>> entries;
  at = walk_object(at, end, [&](const Quoted& name, const char* value) {
    const char* quote = name.raw.data() - 1;
    std::string_view key;
    if (!take_string(quote, end, key)) return static_cast<const char*>(nullptr);
    entries.emplace_back(key, value);
    return skip_value(value, end, depth + 1);
  });
  if (at == nullptr) return fail_malformed();
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.begin_list(row);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i + 1].first == entries[i].first) continue;
    const std::size_t element = out.next_element();
    if (!read_map_key(entries[i].first, out.child(0), element)) return nullptr;
    if (read(entries[i].second, end, out.child(1), element, depth + 1) == nullptr) return nullptr;
    out.add_element();
  }
  out.end_list(row);
  return at;
}

const char* ValueReader::read_struct(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  const auto fields = out.type().fields();
  if (is_union(fields) && !names_union_field(at, end)) return read_union(at, end, out, row, depth);
  if (*at != '{') return mismatch(at, out);
  if (depth >= kMaxDepth) return fail_malformed();
  const char* const begin = at;
  // The fields' entries on a stack shared by all levels: no allocation per row.
  const std::size_t base = seen_.size();
  seen_.resize(base + fields.size(), NameMatch::none);
  const Unwind unwind{seen_, base};
  at = skip_space(at + 1, end);
  bool more = at == end || *at != '}';
  if (!more) ++at;
  while (more) {
    std::string_view name;
    if (at == end || *at != '"' || !take_string(at, end, name)) return fail_malformed();
    at = skip_colon(at, end);
    if (at == nullptr) return fail_malformed();
    const char* after = nullptr;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const NameMatch match = match_name(fields[i].name, name);
      if (match == NameMatch::none || match < seen_[base + i]) continue;
      seen_[base + i] = match;
      after = read(at, end, out.child(i), row, depth + 1);
      if (after == nullptr) return may_retry() ? read_struct_located(begin, end, out, row, depth) : nullptr;
    }
    if (after == nullptr) after = skip_value(at, end, depth + 1);
    if (after == nullptr) return fail_malformed();
    at = next_or_close(after, end, '}', more);
    if (at == nullptr) return fail_malformed();
  }
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (seen_[base + i] == NameMatch::none) out.child(i).set_null(row);
  out.mark_present(row);
  return at;
}

const char* ValueReader::read_union(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  if (depth >= kMaxDepth) return fail_malformed();
  std::size_t best = 0;
  int how = 0;
  for (std::size_t i = 0; i < out.child_count(); ++i) {
    out.child(i).set_null(row);
    const int found = suits(out.child(i).type(), at, end);
    if (found > how) best = i;
    how = std::max(how, found);
  }
  if (how == 0) return mismatch(at, out);
  out.mark_present(row);
  return read(at, end, out.child(best), row, depth + 1);
}

const char* ValueReader::read_struct_located(const char* at, const char* end, ColumnWriter& out, std::size_t row,
                                             int depth) {
  const auto fields = out.type().fields();
  std::vector<MemberMatch> located(fields.size());
  at = locate_members(at, end, located, [&](std::size_t i) -> std::string_view { return fields[i].name; });
  if (at == nullptr) return fail_malformed();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (located[i].value == nullptr)
      out.child(i).set_null(row);
    else if (read(located[i].value, end, out.child(i), row, depth + 1) == nullptr)
      return nullptr;
  }
  out.mark_present(row);
  return at;
}

}  // namespace millrace::inline exec::json
