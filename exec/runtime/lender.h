#pragma once

#include <condition_variable>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exec/runtime/loans.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// What the lender asks of the process that it is a part of.
class SlotRunner {
 public:
  virtual ~SlotRunner() = default;
  /// Runs these slots here from now on.
  virtual void run_slots(const std::vector<SlotId>& slots) = 0;
  /// Does not any more: what was not committed on return never will be.
  virtual void stop_slots(const std::vector<SlotId>& slots, bool commit) = 0;
  /// Slots with tasks that have state: where none has, a slot may be run anywhere.
  virtual std::set<SlotId> slots_with_state() = 0;
  /// Records that the copies of each slot's state lack here; those without a copy are not in it.
  virtual std::map<SlotId, std::int64_t> behind() = 0;
};

/// Decides which of the slots that the group gives this process run here, and which run on the process that has their
/// state, for as long as it takes to make a copy here. Has a thread of its own. Thread-safe; `control` is held over
/// every change of what runs here.
class Lender {
 public:
  struct Setup {
    std::string address;                   // of this process
    bool lends = false;                    // else only what others have lent before is seen to
    std::int64_t acceptable_lag = 10'000;  // records that a copy may lack, to take its slot over
    int warm_ups = 2;                      // copies made at a time for slots that are lent
    RemoteTables* remote = nullptr;
    Membership* membership = nullptr;
    SlotTable* slots = nullptr;
    SlotRunner* runner = nullptr;
    Mutex* control = nullptr;
  };
  Lender(Setup setup, LoanRecords records);
  ~Lender() { stop(); }
  /// It is to be stopped soon.
  void end();
  void stop();
  /// What was borrowed does not run here any more. After stop().
  void leave();

  // The group's decisions. With `control` held.
  void granted(const std::vector<SlotId>& slots);
  void revoked(const std::vector<SlotId>& slots);
  void lost();

  /// What another process of the service asks.
  LoanAnswer answer(const LoanQuestion& question);
  /// Slots that this process has lent and is to make copies of.
  std::set<SlotId> warming_up();
  /// Puts the processes that run slots in the place of those that own them. Asks all of `owners`.
  void correct(std::vector<std::string>& owners);

 private:
  using Slots = std::vector<SlotId>;
  struct Lent {
    Loan loan;
    std::optional<Clock::time_point> gone_since = {};  // the borrower is not in the group
  };
  void run();
  void decide();
  void look_at_loans();
  std::map<SlotId, std::pair<std::string, std::int64_t>> ask_lags(const Slots& slots);
  bool runs_on_loan(SlotId slot);
  Slots lent_to_this(const Slots& slots);
  /// How far the state that is here is behind, as it is now.
  struct StateHere {
    std::set<SlotId> with_state;
    std::map<SlotId, std::int64_t> behind;
  };
  StateHere state_here();
  static std::optional<std::int64_t> lag_of(const StateHere& here, SlotId slot);
  void run_here(const Slots& slots, bool end_loans, std::uint64_t changes);
  void lend(const std::map<SlotId, std::string>& to, std::uint64_t changes);
  void end_loans(const std::map<SlotId, Loan>& loans);
  void ask_borrowers();
  void take_back(const Slots& slots);
  void take(const Slots& slots);
  void give_back(const Slots& slots);
  std::vector<std::string> others();

  const Setup setup_;
  LoanRecords records_;  // under control
  Mutex mutex_;          // never held while anything is waited for
  std::condition_variable wake_;
  std::set<SlotId> granted_ GUARDED_BY(mutex_);    // by the group
  std::set<SlotId> undecided_ GUARDED_BY(mutex_);  // of these
  std::map<SlotId, Lent> lent_ GUARDED_BY(mutex_);
  std::set<SlotId> borrowed_ GUARDED_BY(mutex_);
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;  // of what the group has given, so far
  std::uint64_t epoch_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> epochs_ GUARDED_BY(mutex_);  // of others, as they told last
  bool woken_ GUARDED_BY(mutex_) = false, stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline exec
