#include "server/http/peer_wire.h"

#include <array>
#include <cstring>

namespace millrace::inline server {
namespace {

constexpr std::uint8_t kForm = 2;
constexpr std::int64_t kNoCopy = -1;                                    // where a lag is allowed
constexpr std::uint8_t kEntriesFollow = 255, kLastEntriesFollow = 254;  // else the Fault of an error

/// Numbers as the machine has them: every one that Millrace runs on has the low byte first.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) : out_(out) {}
  template <class T>
  void number(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void entries(const TableEntries& entries) {
    number(static_cast<std::uint32_t>(entries.size()));
    for (const auto& [key, value] : entries) {
      text(key);
      text(value);
    }
  }
  void failure(const Error& error) {
    number(static_cast<std::uint8_t>(error.fault));
    text(error.message);
  }
  void slots(const std::vector<SlotId>& slots) {
    number(static_cast<std::uint32_t>(slots.size()));
    for (const SlotId slot : slots) number(partition_of(slot));
  }
  void lag(std::optional<std::int64_t> allowed) { number(allowed.value_or(kNoCopy)); }

 private:
  std::string& out_;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}
  bool good() const { return good_; }
  bool done() const { return good_ && left_.empty(); }
  template <class T>
  T number() {
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  /// How many of something follow, each of which takes at least `least` bytes.
  std::size_t count(std::size_t least) {
    const std::size_t count = number<std::uint32_t>();
    if (count * least > left_.size()) good_ = false;
    return good_ ? count : 0;
  }
  TableEntries entries() {
    TableEntries entries(count(2 * sizeof(std::uint32_t)));
    for (auto& [key, value] : entries) {
      key = text();
      value = text();
    }
    return entries;
  }
  std::vector<SlotId> slots() {
    std::vector<SlotId> slots(count(sizeof(std::int32_t)));
    for (SlotId& slot : slots) slot = SlotId{number<std::int32_t>()};
    return slots;
  }
  std::optional<std::int64_t> lag() {
    const auto allowed = number<std::int64_t>();
    return allowed == kNoCopy ? std::nullopt : std::optional(allowed);
  }
  bool form() { return number<std::uint8_t>() == kForm; }

 private:
  std::string_view take(std::size_t size) {
    if (size > left_.size()) good_ = false;
    if (!good_) return {};
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::string_view left_;
  bool good_ = true;
};

constexpr std::array kLimits = {&WindowRange::start_min, &WindowRange::start_max, &WindowRange::end_min,
                                &WindowRange::end_max};

/// Of a process of another version, an error that is not known here is one of its own.
Fault fault_of(std::uint8_t number) {
  return number <= static_cast<std::uint8_t>(Fault::bug) ? static_cast<Fault>(number) : Fault::bug;
}

}  // namespace

std::string encode_keys(const std::vector<TableKey>& keys) {
  std::string bytes;
  WireWriter out(bytes);
  out.number(kForm);
  out.number(static_cast<std::uint32_t>(keys.size()));
  for (const TableKey& key : keys) {
    out.text(key.query);
    out.number(key.plan);
    out.number(static_cast<std::int32_t>(key.partition));
    out.text(key.key);
    for (const auto limit : kLimits) {
      out.number(static_cast<std::uint8_t>((key.windows.*limit).has_value()));
      if (key.windows.*limit) out.number(*(key.windows.*limit));
    }
    out.lag(key.max_lag);
  }
  return bytes;
}

std::optional<std::vector<TableKey>> decode_keys(std::string_view bytes) {
  constexpr std::size_t kLeastKey = 32;
  WireReader in(bytes);
  if (!in.form()) return std::nullopt;
  std::vector<TableKey> keys(in.count(kLeastKey));
  for (TableKey& key : keys) {
    key.query = in.text();
    key.plan = in.number<std::uint64_t>();
    key.partition = in.number<std::int32_t>();
    key.key = in.text();
    for (const auto limit : kLimits)
      if (in.number<std::uint8_t>() != 0) key.windows.*limit = in.number<std::int64_t>();
    key.max_lag = in.lag();
  }
  if (!in.done()) return std::nullopt;
  return keys;
}

std::string encode_answers(const KeyAnswers& answers) {
  std::string bytes;
  WireWriter out(bytes);
  out.number(kForm);
  out.number(static_cast<std::uint32_t>(answers.size()));
  for (const auto& answer : answers) {
    if (!answer) {
      out.failure(answer.error());
      continue;
    }
    out.number(kEntriesFollow);
    out.entries(*answer);
  }
  return bytes;
}

std::optional<KeyAnswers> decode_answers(std::string_view bytes) {
  constexpr std::size_t kLeastAnswer = 5;
  WireReader in(bytes);
  if (!in.form()) return std::nullopt;
  KeyAnswers answers;
  const std::size_t count = in.count(kLeastAnswer);
  answers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = in.number<std::uint8_t>();
    if (kind == kEntriesFollow)
      answers.emplace_back(in.entries());
    else
      answers.emplace_back(Error{fault_of(kind), in.text()});
  }
  if (!in.done()) return std::nullopt;
  return answers;
}

std::string encode_loan_question(const LoanQuestion& question) {
  std::string bytes;
  WireWriter out(bytes);
  out.number(kForm);
  out.slots(question.take);
  out.slots(question.give_back);
  out.slots(question.lags);
  return bytes;
}

std::optional<LoanQuestion> decode_loan_question(std::string_view bytes) {
  WireReader in(bytes);
  if (!in.form()) return std::nullopt;
  LoanQuestion question{in.slots(), {}, {}};
  question.give_back = in.slots();
  question.lags = in.slots();
  if (!in.done()) return std::nullopt;
  return question;
}

std::string encode_loan_answer(const LoanAnswer& answer) {
  std::string bytes;
  WireWriter out(bytes);
  out.number(kForm);
  out.number(answer.epoch);
  out.slots(answer.held);
  out.number(static_cast<std::uint32_t>(answer.lags.size()));
  for (const std::int64_t lag : answer.lags) out.number(lag);
  return bytes;
}

std::optional<LoanAnswer> decode_loan_answer(std::string_view bytes) {
  WireReader in(bytes);
  if (!in.form()) return std::nullopt;
  LoanAnswer answer{.epoch = in.number<std::uint64_t>(), .held = {}, .lags = {}};
  answer.held = in.slots();
  answer.lags.resize(in.count(sizeof(std::int64_t)));
  for (std::int64_t& lag : answer.lags) lag = in.number<std::int64_t>();
  if (!in.done()) return std::nullopt;
  return answer;
}

std::string encode_range(const TableRange& range) {
  std::string bytes;
  WireWriter out(bytes);
  out.number(kForm);
  out.text(range.query);
  out.number(range.plan);
  out.number(static_cast<std::uint32_t>(range.partitions.size()));
  for (const int partition : range.partitions) out.number(static_cast<std::int32_t>(partition));
  out.text(range.from);
  out.text(range.to);
  out.lag(range.max_lag);
  if (!range.work.empty()) out.text(range.work);
  return bytes;
}

std::optional<TableRange> decode_range(std::string_view bytes) {
  WireReader in(bytes);
  if (!in.form()) return std::nullopt;
  TableRange range;
  range.query = in.text();
  range.plan = in.number<std::uint64_t>();
  range.partitions.resize(in.count(sizeof(std::int32_t)));
  for (int& partition : range.partitions) partition = in.number<std::int32_t>();
  range.from = in.text();
  range.to = in.text();
  range.max_lag = in.lag();
  if (in.good() && !in.done()) range.work = in.text();
  if (!in.done() || range.partitions.empty()) return std::nullopt;
  return range;
}

std::string encode_page(const Result<TablePages::Page>& page) {
  std::string bytes(sizeof(std::uint32_t), '\0');
  WireWriter out(bytes);
  if (!page) {
    out.failure(page.error());
  } else {
    out.number(page->last ? kLastEntriesFollow : kEntriesFollow);
    out.entries(page->entries);
  }
  const auto size = static_cast<std::uint32_t>(bytes.size() - sizeof(std::uint32_t));
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes;
}

std::optional<Result<TablePages::Page>> take_page(const std::string& bytes, std::size_t& at, bool& broken) {
  std::uint32_t size = 0;
  if (bytes.size() - at < sizeof size) return std::nullopt;
  std::memcpy(&size, bytes.data() + at, sizeof size);
  if (bytes.size() - at - sizeof size < size) return std::nullopt;
  WireReader in(std::string_view(bytes).substr(at + sizeof size, size));
  at += sizeof size + size;
  const auto kind = in.number<std::uint8_t>();
  if (kind != kEntriesFollow && kind != kLastEntriesFollow) {
    Error error{fault_of(kind), in.text()};
    broken = !in.done();
    return error;
  }
  TablePages::Page page{.entries = in.entries(), .last = kind == kLastEntriesFollow};
  broken = !in.done();
  return page;
}

}  // namespace millrace::inline server
