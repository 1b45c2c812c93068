#include <fmt/format.h>

#include <algorithm>

#include "exec/formats/protobuf_format.h"
#include "exec/formats/protobuf_wire.h"
#include "exec/formats/scalar_store.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace proto {

const char* skip_value(const char* at, const char* end, std::uint32_t tag, int depth) {
  constexpr int kMaxGroups = 100;
  std::uint64_t bits;
  std::string_view bytes;
  switch (static_cast<Wire>(tag & 7)) {
    case Wire::varint:
    case Wire::fixed64:
    case Wire::fixed32:
      return read_number(at, end, static_cast<Wire>(tag & 7), bits);
    case Wire::bytes:
      return read_bytes(at, end, bytes);
    case Wire::group:
      if (depth > kMaxGroups) return nullptr;
      while ((at = read_varint(at, end, bits)) != nullptr) {
        if (static_cast<Wire>(bits & 7) == Wire::end_group) return bits >> 3 == tag >> 3 ? at : nullptr;
        at = skip_value(at, end, static_cast<std::uint32_t>(bits), depth + 1);
        if (at == nullptr) return nullptr;
      }
      return nullptr;
    default:
      return nullptr;
  }
}

}  // namespace proto

namespace {

using namespace proto;

bool is_packable(FieldKind kind) {
  return proto::wire_of(kind) != Wire::bytes;
}

/// Why a row cannot be read.
struct Misread {
  std::string text;
  bool broken() {
    text = "malformed Protobuf message";
    return false;
  }
  bool misfit(const Field& field, const ColumnWriter& out) {
    text = fmt::format("{}: the Protobuf value cannot be read as {}", field.name, out.type().to_string());
    return false;
  }
};

bool store_scalar(const Field& field, std::uint64_t bits, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  switch (field.kind) {
    case FieldKind::boolean:
      return store_boolean(bits != 0, out, row);
    case FieldKind::float_:
      return store_double(std::bit_cast<float>(static_cast<std::uint32_t>(bits)), out, row, arena);
    case FieldKind::double_:
      return store_double(std::bit_cast<double>(bits), out, row, arena);
    case FieldKind::enumeration: {
      const auto number = static_cast<std::int32_t>(bits);
      const std::string_view name = field.enumeration ? field.enumeration->name_of(number) : std::string_view();
      if (out.kind() != TypeKind::string || name.empty()) return store_integer(number, out, row, arena);
      out.set(row, name);
      return true;
    }
    default:
      return store_integer(proto::integer_of(field.kind, bits), out, row, arena);
  }
}

bool store_default(const Field& field, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  if (field.kind == FieldKind::string) return store_text("", out, row, arena);
  if (field.kind == FieldKind::bytes) return store_bytes("", out, row);
  return store_scalar(field, 0, out, row, arena);
}

/// The fields of one of the well-known messages.
struct KnownFields {
  std::int64_t numbers[5] = {};
  std::string_view bytes;

  bool read(const char* at, const char* end, const Message& message) {
    while (at != end) {
      std::uint64_t tag;
      at = read_varint(at, end, tag);
      if (at == nullptr) return false;
      const auto number = tag >> 3;
      const auto wire = static_cast<Wire>(tag & 7);
      const auto field = std::ranges::find(message.fields, number, &Field::number);
      if (field == message.fields.end() || number > 4 || wire != proto::wire_of(field->kind)) {
        at = proto::skip_value(at, end, static_cast<std::uint32_t>(tag));
      } else if (wire == Wire::bytes) {
        at = proto::read_bytes(at, end, bytes);
      } else {
        std::uint64_t bits;
        at = proto::read_number(at, end, wire, bits);
        if (at != nullptr)
          numbers[number] = message.meaning == Meaning::wrapper ? static_cast<std::int64_t>(bits)
                                                                : proto::integer_of(field->kind, bits);
      }
      if (at == nullptr) return false;
    }
    return true;
  }
};

bool store_known(const Field& field, const KnownFields& known, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  const auto& n = known.numbers;
  switch (field.message->meaning) {
    case Meaning::timestamp: {
      std::int64_t millis;
      if (__builtin_mul_overflow(n[1], 1000, &millis)) return false;
      return !__builtin_add_overflow(millis, floor_div(n[2], 1'000'000), &millis) &&
             store_integer(millis, out, row, arena);
    }
    case Meaning::date: {
      // As far as days of 32 bits reach.
      constexpr std::int64_t kMaxYear = 5'881'580;
      if (n[1] == 0 && n[2] == 0 && n[3] == 0) {  // no date: a NULL in a list
        out.set_null(row);
        return true;
      }
      if (n[2] < 1 || n[2] > 12 || n[3] < 1 || n[3] > 31 || n[1] < -kMaxYear || n[1] > kMaxYear) return false;
      const std::int64_t days = days_from_civil(n[1], static_cast<int>(n[2]), static_cast<int>(n[3]));
      return days == static_cast<std::int32_t>(days) && store_integer(days, out, row, arena);
    }
    case Meaning::time_of_day:
      if (n[1] < 0 || n[1] > 23 || n[2] < 0 || n[2] > 59 || n[3] < 0 || n[3] > 59 || n[4] < 0) return false;
      return store_integer(((n[1] * 60 + n[2]) * 60 + n[3]) * 1000 + n[4] / 1'000'000, out, row, arena);
    case Meaning::decimal: {
      Int128 unscaled = 0;
      if (!known.bytes.empty() && !read_big_integer(known.bytes, unscaled)) return false;
      return n[3] >= 0 && n[3] <= 38 && store_decimal(unscaled, static_cast<int>(n[3]), out, row, arena);
    }
    default: {
      const Field& value = field.message->fields.front();
      if (value.kind == FieldKind::string) return store_text(known.bytes, out, row, arena);
      if (value.kind == FieldKind::bytes) return store_bytes(known.bytes, out, row);
      return store_scalar(value, static_cast<std::uint64_t>(n[1]), out, row, arena);
    }
  }
}

class Node;

/// A field and the column it feeds.
struct Entry {
  const Field* field;
  ColumnWriter* out;
  bool list = false, map = false;
  std::unique_ptr<Node> message;  // of a STRUCT column, or of a map's entries
  ColumnWriter* group = nullptr;  // the STRUCT of its oneof, where that is a column
  std::size_t next = SIZE_MAX;    // another column of the same field

  // Of the current row.
  bool seen = false;
  std::string_view pending;                                            // a single message, read at the end
  std::vector<std::pair<std::string_view, std::string_view>> entries;  // a map's: key, whole entry

  ColumnWriter& target() { return list ? out->child(0) : *out; }
};

class Node {
 public:
  Node(const Message& message, const std::vector<std::string_view>& names, const std::vector<ColumnWriter*>& outs) {
    for (std::size_t i = 0; i < names.size(); ++i) add(message, names[i], *outs[i]);
    for (std::size_t i = 0; i < entries_.size(); ++i) index(i);
  }

  bool read(std::string_view bytes, std::size_t row, ArenaPtr& arena, Misread& fault) {
    begin(row, arena);
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      std::uint64_t tag;
      at = read_varint(at, end, tag);
      if (at == nullptr || tag >> 3 == 0 || tag > UINT32_MAX) return fault.broken();
      const std::size_t first = find(static_cast<std::uint32_t>(tag >> 3));
      const char* after = nullptr;
      for (std::size_t i = first; i != SIZE_MAX; i = entries_[i].next) {
        after = take(entries_[i], at, end, static_cast<Wire>(tag & 7), row, arena, fault);
        if (after == nullptr) return fault.text.empty() ? fault.broken() : false;
      }
      at = after != nullptr ? after : proto::skip_value(at, end, static_cast<std::uint32_t>(tag));
      if (at == nullptr) return fault.broken();
    }
    return finish(row, arena, fault);
  }

 private:
  void add(const Message& message, std::string_view name, ColumnWriter& out) {
    if (const Field* field = message.find(name)) return add_field(*field, out, nullptr);
    const int oneof = out.kind() == TypeKind::structure ? message.find_oneof(name) : -1;
    if (oneof < 0) return absent_.push_back(&out);
    groups_.push_back(&out);
    for (std::size_t k = 0; k < out.child_count(); ++k) {
      const Field* member = message.find(out.type().fields()[k].name);
      if (member && member->oneof == oneof)
        add_field(*member, out.child(k), &out);
      else
        absent_.push_back(&out.child(k));
    }
  }

  void add_field(const Field& field, ColumnWriter& out, ColumnWriter* group) {
    Entry& entry = entries_.emplace_back();
    entry.field = &field;
    entry.out = &out;
    entry.group = group;
    entry.map = field.message && field.message->map_entry && out.kind() == TypeKind::map;
    entry.list = field.repeated && !entry.map && out.kind() == TypeKind::array;
    if (entry.map) {
      static const std::vector<std::string_view> kNames = {"key", "value"};
      entry.message =
          std::make_unique<Node>(*field.message, kNames, std::vector<ColumnWriter*>{&out.child(0), &out.child(1)});
      return;
    }
    ColumnWriter& target = entry.target();
    if (field.message == nullptr || target.kind() != TypeKind::structure) return;
    std::vector<std::string_view> names;
    std::vector<ColumnWriter*> outs;
    for (std::size_t k = 0; k < target.child_count(); ++k) {
      names.push_back(target.type().fields()[k].name);
      outs.push_back(&target.child(k));
    }
    entry.message = std::make_unique<Node>(*field.message, names, outs);
  }

  void index(std::size_t i) {
    const std::uint32_t number = entries_[i].field->number;
    if (number < kDirect) {
      if (direct_.size() <= number) direct_.resize(number + 1, SIZE_MAX);
      entries_[i].next = std::exchange(direct_[number], i);
    } else {
      const auto at = std::ranges::find(far_, number, &Far::number);
      if (at == far_.end())
        far_.push_back({number, i});
      else
        entries_[i].next = std::exchange(at->entry, i);
    }
  }

  std::size_t find(std::uint32_t number) const {
    if (number < direct_.size()) return direct_[number];
    for (const Far& far : far_)
      if (far.number == number) return far.entry;
    return SIZE_MAX;
  }

  void begin(std::size_t row, ArenaPtr& arena) {
    for (ColumnWriter* out : absent_) out->set_null(row);
    for (Entry& entry : entries_) {
      entry.seen = false;
      if (entry.list) {
        entry.out->begin_list(row);
      } else if (entry.map) {
        entry.entries.clear();
      } else if (entry.field->presence || entry.field->message || entry.field->repeated ||
                 !store_default(*entry.field, *entry.out, row, arena)) {
        entry.out->set_null(row);
      }
    }
  }

  const char* take(Entry& entry, const char* at, const char* end, Wire wire, std::size_t row, ArenaPtr& arena,
                   Misread& fault) {
    const Field& field = *entry.field;
    if (field.oneof >= 0) clear_others(entry, row);
    entry.seen = true;
    const Wire expected = proto::wire_of(field.kind);
    if (wire != expected) {
      if (entry.list && wire == Wire::bytes && is_packable(field.kind))
        return take_packed(entry, at, end, arena, fault);
      return proto::skip_value(at, end, field.number << 3 | static_cast<std::uint32_t>(wire));
    }
    if (expected != Wire::bytes) {
      std::uint64_t bits;
      at = proto::read_number(at, end, wire, bits);
      if (at == nullptr) return nullptr;
      if (!entry.list) return check(store_scalar(field, bits, *entry.out, row, arena), at, entry, fault);
      const bool stored = store_scalar(field, bits, entry.target(), entry.out->next_element(), arena);
      entry.out->add_element();
      return check(stored, at, entry, fault);
    }
    std::string_view bytes;
    at = proto::read_bytes(at, end, bytes);
    if (at == nullptr) return nullptr;
    if (entry.map) return take_map_entry(entry, bytes) ? at : nullptr;
    if (entry.list) {
      const std::size_t element = entry.out->next_element();
      const bool stored = store_bytes_value(entry, bytes, element, arena, fault);
      entry.out->add_element();
      return check(stored, at, entry, fault);
    }
    if (field.message == nullptr) return check(store_bytes_value(entry, bytes, row, arena, fault), at, entry, fault);
    // Two pieces of one message add up to one.
    entry.pending = entry.pending.empty() ? bytes : joined(entry.pending, bytes, arena);
    return at;
  }

  static const char* check(bool stored, const char* at, Entry& entry, Misread& fault) {
    if (stored) return at;
    if (fault.text.empty()) fault.misfit(*entry.field, entry.target());
    return nullptr;
  }

  static std::string_view joined(std::string_view first, std::string_view second, ArenaPtr& arena) {
    if (!arena) arena = std::make_shared<Arena>();
    char* out = arena->allocate(first.size() + second.size());
    std::memcpy(out, first.data(), first.size());
    if (!second.empty()) std::memcpy(out + first.size(), second.data(), second.size());
    return {out, first.size() + second.size()};
  }

  const char* take_packed(Entry& entry, const char* at, const char* end, ArenaPtr& arena, Misread& fault) {
    std::string_view bytes;
    at = proto::read_bytes(at, end, bytes);
    if (at == nullptr) return nullptr;
    const char* element = bytes.data();
    const char* const last = element + bytes.size();
    const Wire wire = proto::wire_of(entry.field->kind);
    while (element != last) {
      std::uint64_t bits;
      element = proto::read_number(element, last, wire, bits);
      if (element == nullptr) return nullptr;
      const bool stored = store_scalar(*entry.field, bits, entry.target(), entry.out->next_element(), arena);
      entry.out->add_element();
      if (!stored) return check(false, at, entry, fault);
    }
    return at;
  }

  // The bytes of the key tell entries apart.
  static bool take_map_entry(Entry& entry, std::string_view bytes) {
    std::string_view key;
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      std::uint64_t tag;
      at = read_varint(at, end, tag);
      if (at == nullptr) return false;
      const char* const value = at;
      at = proto::skip_value(at, end, static_cast<std::uint32_t>(tag));
      if (at == nullptr) return false;
      if (tag >> 3 == 1) key = {value, static_cast<std::size_t>(at - value)};
    }
    entry.entries.emplace_back(key, bytes);
    return true;
  }

  bool store_bytes_value(Entry& entry, std::string_view bytes, std::size_t row, ArenaPtr& arena, Misread& fault) {
    const Field& field = *entry.field;
    ColumnWriter& out = entry.target();
    if (field.kind == FieldKind::string) return store_text(bytes, out, row, arena);
    if (field.kind == FieldKind::bytes) return store_bytes(bytes, out, row);
    if (entry.message) {
      if (!entry.message->read(bytes, row, arena, fault)) return false;
      out.mark_present(row);
      return true;
    }
    if (field.message->meaning == Meaning::none) return false;
    KnownFields known;
    if (!known.read(bytes.data(), bytes.data() + bytes.size(), *field.message)) return fault.broken();
    return store_known(field, known, out, row, arena);
  }

  // Setting a member of a oneof clears the others.
  void clear_others(const Entry& kept, std::size_t row) {
    for (Entry& entry : entries_) {
      if (entry.field->oneof != kept.field->oneof || entry.field == kept.field || !entry.seen) continue;
      entry.seen = false;
      entry.pending = {};
      entry.out->set_null(row);
    }
  }

  bool finish(std::size_t row, ArenaPtr& arena, Misread& fault) {
    for (ColumnWriter* group : groups_) {
      const bool any = std::ranges::any_of(entries_, [&](const Entry& e) { return e.group == group && e.seen; });
      if (any)
        group->mark_present(row);
      else
        group->set_null(row);
    }
    for (Entry& entry : entries_) {
      if (entry.list) {
        entry.out->end_list(row);
      } else if (entry.map) {
        if (!finish_map(entry, row, arena, fault)) return false;
      } else if (entry.field->message && entry.seen) {
        const std::string_view bytes = std::exchange(entry.pending, {});
        if (!store_bytes_value(entry, bytes, row, arena, fault)) return check(false, "", entry, fault) != nullptr;
      }
    }
    return true;
  }

  static bool finish_map(Entry& entry, std::size_t row, ArenaPtr& arena, Misread& fault) {
    keep_last(entry.entries);
    entry.out->begin_list(row);
    for (const auto& [key, bytes] : entry.entries) {
      const std::size_t element = entry.out->next_element();
      if (!entry.message->read(bytes, element, arena, fault)) return false;
      entry.out->add_element();
    }
    entry.out->end_list(row);
    return true;
  }

  // Where a key comes twice its last value counts.
  static void keep_last(std::vector<std::pair<std::string_view, std::string_view>>& entries) {
    constexpr std::size_t kLinear = 16;
    bool twice = false;
    if (entries.size() <= kLinear) {
      for (std::size_t i = 1; i < entries.size() && !twice; ++i)
        for (std::size_t k = 0; k < i; ++k) twice = twice || entries[k].first == entries[i].first;
      if (!twice) return;
    }
    std::ranges::stable_sort(entries, {}, [](const auto& entry) { return entry.first; });
    const auto last =
        std::unique(entries.rbegin(), entries.rend(), [](const auto& a, const auto& b) { return a.first == b.first; });
    entries.erase(entries.begin(), last.base());
  }

  static constexpr std::uint32_t kDirect = 256;
  struct Far {
    std::uint32_t number;
    std::size_t entry;
  };
  std::vector<Entry> entries_;
  std::vector<ColumnWriter*> absent_, groups_;
  std::vector<std::size_t> direct_;  // entry of a field number, SIZE_MAX: nobody reads it
  std::vector<Far> far_;
};

}  // namespace

struct ProtobufReader::State {
  proto::FilePtr file;
  Node root;
  Misread fault;
};

ProtobufReader::ProtobufReader(proto::FilePtr file, const proto::Message& message,
                               const std::vector<std::string>& names, std::vector<ColumnWriter>& writers) {
  std::vector<ColumnWriter*> outs;
  for (ColumnWriter& writer : writers) outs.push_back(&writer);
  state_ = std::unique_ptr<State>(new State{std::move(file), Node(message, {names.begin(), names.end()}, outs), {}});
}
ProtobufReader::~ProtobufReader() = default;

bool ProtobufReader::read(std::string_view bytes, std::size_t row, std::shared_ptr<Arena>& arena) {
  state_->fault.text.clear();
  return state_->root.read(bytes, row, arena, state_->fault);
}

const std::string& ProtobufReader::reason() const {
  return state_->fault.text;
}

}  // namespace millrace::inline exec
