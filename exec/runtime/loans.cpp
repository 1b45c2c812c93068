#include "exec/runtime/loans.h"

#include <charconv>

#include "exec/data/wall_clock.h"

namespace millrace::inline exec {
namespace {

constexpr std::string_view kKey = "=loan";  // no progress record has a key like this: they begin with a query's id
constexpr std::string_view kForm = "1 ";
constexpr std::chrono::seconds kLoanWait{5};

}  // namespace

std::string encode_loan(const Loan& loan) {
  return fmt::format("{}{} {}", kForm, loan.epoch, loan.to);
}

std::optional<Loan> decode_loan(std::string_view bytes) {
  if (!bytes.starts_with(kForm)) return std::nullopt;
  bytes.remove_prefix(kForm.size());
  Loan loan;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), loan.epoch);
  if (error != std::errc() || end == bytes.data() + bytes.size() || *end != ' ') return std::nullopt;
  loan.to = std::string(end + 1, bytes.data() + bytes.size());
  return loan;
}

std::optional<Loan> LoanRecords::find(SlotId slot) const {
  const auto bytes = slots_.find(slot, std::string(kKey));
  return bytes ? decode_loan(*bytes) : std::nullopt;
}

Status LoanRecords::write(const Changes& changes) {
  if (changes.empty()) return {};
  if (!writer_) {
    auto made = log_.writer(name_, &membership_);
    if (!made) return made.error();
    writer_ = std::move(*made);
  }
  // What is under way would hold up those who read the slots to their end: a new writer ends it.
  const auto failed = [&](Error error) {
    writer_.reset();
    if (auto made = log_.writer(name_, &membership_)) writer_ = std::move(*made);
    return error;
  };
  const auto topic = writer_->topic(slots_.topic());
  if (!topic) return failed(topic.error());
  for (const auto& [slot, loan] : changes) {
    std::optional<std::string> value;
    if (loan) value = encode_loan(*loan);
    if (Status done = writer_->append(*topic, partition_of(slot), kKey, value, RecordTime{wall_clock_ms()}); !done)
      return failed(done.error());
  }
  if (Status done = writer_->commit(); !done) return failed(done.error());
  const Writer::CommitState state = writer_->commit_state(kLoanWait);
  if (state.outcome == Writer::Outcome::committed) return {};
  return failed(state.error ? *state.error : external_error("the log does not tell whether slots were lent"));
}

}  // namespace millrace::inline exec
