#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/remote_tables.h"
#include "exec/runtime/slot_table.h"

/// A slot that the group gives to one process may be run by another, which has its state: the owner lends it until it
/// has a copy of its own (design.md §5). Who may run a slot is for the log to say: a record of its partition of the
/// slots topic, written in a fenced transaction by whoever may run it at that time.
namespace millrace::inline exec {

struct Loan {
  std::string to;           // the borrower's address
  std::uint64_t epoch = 0;  // of its membership: void when that is over
  friend bool operator==(const Loan&, const Loan&) = default;
};

/// Loans as the log has them. One thread at a time.
class LoanRecords {
 public:
  /// `name`: of the transactions.
  LoanRecords(Log& log, SlotTable& slots, Membership& membership, std::string name)
      : log_(log), slots_(slots), membership_(membership), name_(std::move(name)) {}

  /// As of the last SlotTable::refresh of the slot.
  std::optional<Loan> find(SlotId slot) const;
  /// Absent: the loan ends. All in one transaction; after an error nobody knows whether it was done: whoever reads the
  /// slots to their end does.
  using Changes = std::vector<std::pair<SlotId, std::optional<Loan>>>;
  Status write(const Changes& changes);

 private:
  Log& log_;
  SlotTable& slots_;
  Membership& membership_;
  const std::string name_;
  std::unique_ptr<Writer> writer_;  // null: the next change needs a new one
};

std::string encode_loan(const Loan& loan);
std::optional<Loan> decode_loan(std::string_view bytes);

}  // namespace millrace::inline exec
