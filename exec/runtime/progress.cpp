#include "exec/runtime/progress.h"

#include <fmt/format.h>

#include <cstring>

namespace millrace::inline exec {
namespace {

constexpr char kByPosition = 1;  // operators' bytes in the order of the plan, each behind its size (32 bits)
constexpr char kByName = 2;

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}

struct Cursor {
  std::string_view bytes;
  bool ok = true;

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok = false;
    return 0;
  }
  std::string text() {
    const std::uint64_t size = varint();
    if (!ok || size > bytes.size()) {
      ok = false;
      return {};
    }
    std::string result(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return result;
  }
  OperatorStates unnamed_states() {
    OperatorStates states;
    const std::string all = text();
    for (std::size_t at = 0; ok && at < all.size();) {
      std::uint32_t size = 0;
      ok = all.size() - at >= sizeof(size);
      if (ok) std::memcpy(&size, all.data() + at, sizeof(size));
      at += sizeof(size);
      ok = ok && all.size() - at >= size;
      if (ok && size > 0) states.push_back({{}, all.substr(at, size)});
      at += size;
    }
    return states;
  }
};

void read_times(Cursor& cursor, Progress& progress) {
  if (cursor.varint() == 1) progress.stream_time = static_cast<std::int64_t>(cursor.varint());
  for (std::uint64_t left = cursor.varint(); cursor.ok && left > 0; --left) {
    Progress::Times times{.topic = cursor.text(), .of = {}};
    for (std::uint64_t tasks = cursor.varint(); cursor.ok && tasks > 0; --tasks) {
      const std::size_t task = cursor.varint();
      times.of.emplace_back(task, static_cast<std::int64_t>(cursor.varint()));
    }
    progress.times.push_back(std::move(times));
  }
}

}  // namespace

const std::vector<std::pair<std::size_t, std::int64_t>>& Progress::times_of(std::string_view topic) const {
  static const std::vector<std::pair<std::size_t, std::int64_t>> kNone;
  for (const Times& known : times)
    if (known.topic == topic) return known.of;
  return kNone;
}

std::int64_t Progress::offset_of(std::string_view topic, std::int64_t otherwise) const {
  for (const auto& [name, offset] : offsets)
    if (name == topic) return offset;
  return otherwise;
}

std::optional<std::int64_t> Progress::ready_of(std::string_view topic) const {
  for (const auto& [name, offset] : ready)
    if (name == topic) return offset;
  return std::nullopt;
}

Witness Progress::witness_of(std::string_view topic) const {
  for (const auto& [name, witness] : witnesses)
    if (name == topic) return witness;
  return {};
}

std::string filed_under(const PhysicalPlan& plan) {
  return plan.incarnation.empty() ? plan.query_id : fmt::format("{}~{}", plan.query_id, plan.incarnation);
}

std::string state_name(const PhysicalPlan& plan, const std::string& store, int partition) {
  return fmt::format("{}|{}|{}", filed_under(plan), store, partition);
}

std::string progress_key(const PhysicalPlan& plan, const Subtopology& subtopology, int partition) {
  return fmt::format("{}/{}/{}", filed_under(plan), subtopology.id, partition);
}

std::string encode(const Progress& progress) {
  std::string out(1, kByName);
  put_varint(out, progress.sequence);
  put_varint(out, progress.offsets.size());
  for (const auto& [topic, offset] : progress.offsets) {
    put_text(out, topic);
    put_varint(out, static_cast<std::uint64_t>(offset));
  }
  put_varint(out, progress.operators.size());
  for (const auto& [step, bytes] : progress.operators) {
    put_text(out, step);
    put_text(out, bytes);
  }
  // Earlier builds stop reading here.
  put_varint(out, progress.witnesses.size());
  for (const auto& [topic, witness] : progress.witnesses) {
    put_text(out, topic);
    for (const std::int64_t number : {witness.offset, witness.timestamp, static_cast<std::int64_t>(witness.hash)})
      put_varint(out, static_cast<std::uint64_t>(number));
  }
  put_varint(out, progress.pace ? 1 : 0);
  if (progress.pace) put_varint(out, static_cast<std::uint64_t>(*progress.pace));
  put_varint(out, progress.stream_time ? 1 : 0);
  if (progress.stream_time) put_varint(out, static_cast<std::uint64_t>(*progress.stream_time));
  put_varint(out, progress.times.size());
  for (const Progress::Times& times : progress.times) {
    put_text(out, times.topic);
    put_varint(out, times.of.size());
    for (const auto& [task, time] : times.of) {
      put_varint(out, task);
      put_varint(out, static_cast<std::uint64_t>(time));
    }
  }
  put_varint(out, progress.ready.size());
  for (const auto& [topic, offset] : progress.ready) {
    put_text(out, topic);
    put_varint(out, static_cast<std::uint64_t>(offset));
  }
  return out;
}

Result<Progress> decode_progress(std::string_view bytes) {
  Progress progress;
  Cursor cursor{bytes};
  const char version = bytes.empty() ? '\0' : bytes.front();
  if (version != kByPosition && version != kByName) return external_error("a progress record has an unknown form");
  cursor.bytes.remove_prefix(1);
  progress.sequence = cursor.varint();
  for (std::uint64_t left = cursor.varint(); cursor.ok && left > 0; --left) {
    std::string topic = cursor.text();
    progress.offsets.emplace_back(std::move(topic), static_cast<std::int64_t>(cursor.varint()));
  }
  if (version == kByPosition) {
    progress.operators = cursor.unnamed_states();
  } else {
    for (std::uint64_t left = cursor.varint(); cursor.ok && left > 0; --left) {
      std::string step = cursor.text();
      progress.operators.push_back({std::move(step), cursor.text()});
    }
    const bool more = cursor.ok && !cursor.bytes.empty();
    for (std::uint64_t left = more ? cursor.varint() : 0; cursor.ok && left > 0; --left) {
      std::string topic = cursor.text();
      Witness witness;
      witness.offset = static_cast<std::int64_t>(cursor.varint());
      witness.timestamp = static_cast<std::int64_t>(cursor.varint());
      witness.hash = cursor.varint();
      progress.witnesses.emplace_back(std::move(topic), witness);
    }
    if (cursor.ok && !cursor.bytes.empty() && cursor.varint() == 1)
      progress.pace = static_cast<std::int64_t>(cursor.varint());
    if (cursor.ok && !cursor.bytes.empty()) read_times(cursor, progress);
    const bool ready = cursor.ok && !cursor.bytes.empty();
    for (std::uint64_t left = ready ? cursor.varint() : 0; cursor.ok && left > 0; --left) {
      std::string topic = cursor.text();
      progress.ready.emplace_back(std::move(topic), static_cast<std::int64_t>(cursor.varint()));
    }
  }
  if (!cursor.ok) return external_error("a progress record is cut short");
  return progress;
}

}  // namespace millrace::inline exec
