#include "exec/runtime/lender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>

namespace millrace::inline exec {
namespace {

using namespace std::chrono_literals;

constexpr auto kLendEvery = 200ms;
constexpr auto kAnswerWait = 300ms;
constexpr auto kGiveBackWait = 1s;  // a commit may be under way; whoever is later is asked again
// A member that has gone for a moment in the eyes of one broker has not lost anything.
constexpr auto kGone = 500ms;

std::uint64_t new_epoch() {
  std::random_device random;
  return static_cast<std::uint64_t>(random()) << 32U | random() | 1U;
}

}  // namespace

Lender::Lender(Setup setup, LoanRecords records)
    : setup_(std::move(setup)), records_(std::move(records)), epoch_(new_epoch()), thread_([this] { run(); }) {}

void Lender::end() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

void Lender::stop() {
  end();
  if (thread_.joinable()) thread_.join();
}

void Lender::leave() {
  LoanRecords::Changes ends;
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : borrowed_) ends.emplace_back(slot, std::nullopt);
    borrowed_.clear();
  }
  if (Status ended = records_.write(ends); !ended) spdlog::warn("loans: {}", ended.error().message);
}

void Lender::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    lock.unlock();
    decide();
    look_at_loans();
    lock.lock();
    const auto called = [&]() REQUIRES(mutex_) { return stopping_ || woken_; };
    if (undecided_.empty() && lent_.empty())
      wake_.wait(lock, called);
    else
      wake_.wait_for(lock, kLendEvery, called);
  }
}

void Lender::granted(const Slots& slots) {
  const MutexLock lock(mutex_);
  ++changes_;
  granted_.insert(slots.begin(), slots.end());
  undecided_.insert(slots.begin(), slots.end());
  woken_ = true;
  wake_.notify_all();
}

/// What runs here goes on running, on loan from whoever gets it.
void Lender::revoked(const Slots& slots) {
  Slots kept, stopped;
  LoanRecords::Changes loans;
  bool all_gone = false;
  std::uint64_t epoch = 0;
  const std::set<SlotId> with_state = setup_.lends ? setup_.runner->slots_with_state() : std::set<SlotId>();
  {
    const MutexLock lock(mutex_);
    ++changes_;
    epoch = epoch_;
    for (const SlotId slot : slots) {
      const bool runs = granted_.erase(slot) > 0 && !undecided_.contains(slot) && !lent_.contains(slot);
      if (runs) (with_state.contains(slot) ? kept : stopped).push_back(slot);
      if (undecided_.erase(slot) > 0 && borrowed_.contains(slot)) continue;
      lent_.erase(slot);
    }
    // Who owns nothing does not hear of it when the group goes on without it.
    all_gone = granted_.empty();
    if (all_gone) {
      stopped.insert(stopped.end(), kept.begin(), kept.end());
      stopped.insert(stopped.end(), borrowed_.begin(), borrowed_.end());
      for (const SlotId slot : borrowed_) loans.emplace_back(slot, std::nullopt);
      borrowed_.clear();
      kept.clear();
    }
  }
  for (const SlotId slot : kept) loans.emplace_back(slot, Loan{setup_.address, epoch});
  if (!stopped.empty()) setup_.runner->stop_slots(stopped, true);
  if (Status written = records_.write(loans); !written) {
    // Whatever became of the records: who runs nothing can be asked to.
    spdlog::warn("loans: {}", written.error().message);
    if (!kept.empty()) setup_.runner->stop_slots(kept, true);
    return;
  }
  const MutexLock lock(mutex_);
  borrowed_.insert(kept.begin(), kept.end());
}

void Lender::lost() {
  Slots all;
  {
    const MutexLock lock(mutex_);
    all.assign(granted_.begin(), granted_.end());
    all.insert(all.end(), borrowed_.begin(), borrowed_.end());
    granted_.clear();
    undecided_.clear();
    lent_.clear();
    borrowed_.clear();
    ++changes_;
    epoch_ = new_epoch();
  }
  setup_.runner->stop_slots(all, false);
}

bool Lender::runs_on_loan(SlotId slot) {
  const MutexLock lock(mutex_);
  return borrowed_.contains(slot);
}

Lender::StateHere Lender::state_here() {
  // Where no copies are made, none will ever be warm.
  if (!setup_.lends) return {};
  return {setup_.runner->slots_with_state(), setup_.runner->behind()};
}

/// Absent: there is no copy.
std::optional<std::int64_t> Lender::lag_of(const StateHere& here, SlotId slot) {
  if (!here.with_state.contains(slot)) return 0;
  const auto found = here.behind.find(slot);
  return found == here.behind.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Lender::others() {
  auto members = setup_.membership->members();
  if (!members) return {};
  std::erase(*members, setup_.address);
  return std::move(*members);
}

/// Where the slots that the group has given are to run.
void Lender::decide() {
  Slots slots;
  std::uint64_t changes = 0;  // what is decided holds as long as the group has changed nothing
  {
    const MutexLock lock(mutex_);
    changes = changes_;
    slots.assign(undecided_.begin(), undecided_.end());
  }
  if (slots.empty()) return;
  const auto began = Clock::now();
  if (Status read = setup_.slots->refresh(slots); !read) return spdlog::warn("slots: {}", read.error().message);
  spdlog::debug("{} slots are granted, their progress is read in {} ms", slots.size(),
                std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - began).count());
  Slots mine, here, cold;
  const StateHere state = state_here();
  for (const SlotId slot : slots) {
    const auto loan = records_.find(slot);
    if (runs_on_loan(slot) || (loan && loan->to == setup_.address)) {
      mine.push_back(slot);
    } else if (loan) {
      const MutexLock lock(mutex_);
      if (changes == changes_ && undecided_.erase(slot) > 0) lent_[slot] = {*loan};
    } else {
      const auto lag = lag_of(state, slot);
      (lag && *lag <= setup_.acceptable_lag ? here : cold).push_back(slot);
    }
  }
  run_here(mine, true, changes);
  run_here(here, false, changes);
  if (cold.empty()) return;
  const auto best = ask_lags(cold);
  const StateHere later = state_here();
  std::map<SlotId, std::string> lent;
  for (const SlotId slot : cold) {
    const auto found = best.find(slot);
    const auto lag = lag_of(later, slot);
    if (found != best.end() && (!lag || found->second.second < *lag)) lent[slot] = found->second.first;
  }
  std::erase_if(cold, [&](SlotId slot) { return lent.contains(slot); });
  run_here(cold, false, changes);
  lend(lent, changes);
}

void Lender::run_here(const Slots& slots, bool end_loans, std::uint64_t changes) {
  if (slots.empty()) return;
  const MutexLock control(*setup_.control);
  Slots run;
  LoanRecords::Changes ends;
  {
    const MutexLock lock(mutex_);
    if (changes != changes_ || stopping_) return;
    for (const SlotId slot : slots) {
      if (!undecided_.contains(slot)) continue;
      run.push_back(slot);
      if (end_loans) ends.emplace_back(slot, std::nullopt);
    }
  }
  if (Status ended = records_.write(ends); !ended) return spdlog::warn("loans: {}", ended.error().message);
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : run) {
      undecided_.erase(slot);
      borrowed_.erase(slot);
    }
  }
  setup_.runner->run_slots(run);
}

/// Of each slot the process whose copy lacks the least, and what.
std::map<SlotId, std::pair<std::string, std::int64_t>> Lender::ask_lags(const Slots& slots) {
  std::map<SlotId, std::pair<std::string, std::int64_t>> best;
  std::vector<std::pair<std::string, LoanQuestion>> questions;
  const auto asked = others();
  for (const std::string& other : asked) questions.emplace_back(other, LoanQuestion{{}, {}, slots});
  {
    const MutexLock lock(mutex_);
    std::erase_if(epochs_, [&](const auto& known) { return std::ranges::find(asked, known.first) == asked.end(); });
  }
  const auto answers = setup_.remote->ask_loans(questions, kAnswerWait);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    {
      const MutexLock lock(mutex_);
      epochs_[questions[i].first] = answers[i]->epoch;
    }
    for (std::size_t j = 0; j < slots.size() && j < answers[i]->lags.size(); ++j) {
      const std::int64_t lag = answers[i]->lags[j];
      const auto known = best.find(slots[j]);
      if (lag >= 0 && (known == best.end() || lag < known->second.second)) best[slots[j]] = {questions[i].first, lag};
    }
  }
  return best;
}

void Lender::lend(const std::map<SlotId, std::string>& to, std::uint64_t changes) {
  if (to.empty()) return;
  {
    const MutexLock control(*setup_.control);
    LoanRecords::Changes loans;
    {
      const MutexLock lock(mutex_);
      if (changes != changes_ || stopping_) return;
      for (const auto& [slot, borrower] : to)
        if (undecided_.contains(slot)) loans.emplace_back(slot, Loan{borrower, epochs_[borrower]});
    }
    if (Status written = records_.write(loans); !written) return spdlog::warn("loans: {}", written.error().message);
    const MutexLock lock(mutex_);
    for (const auto& [slot, loan] : loans) {
      undecided_.erase(slot);
      lent_[slot] = {*loan};
    }
  }
  ask_borrowers();
}

void Lender::look_at_loans() {
  {
    const MutexLock lock(mutex_);
    if (lent_.empty()) return;
  }
  const auto members = setup_.membership->members();
  std::map<SlotId, Loan> gone;
  // One that does not know this process does not know the others either.
  if (members && std::ranges::find(*members, setup_.address) != members->end()) {
    const MutexLock lock(mutex_);
    for (auto& [slot, lent] : lent_) {
      if (std::ranges::find(*members, lent.loan.to) != members->end()) {
        lent.gone_since.reset();
      } else if (!lent.gone_since) {
        lent.gone_since = Clock::now();
      } else if (Clock::now() - *lent.gone_since > kGone) {
        gone[slot] = lent.loan;
      }
    }
  }
  end_loans(gone);
  ask_borrowers();
}

/// Of borrowers that have no right to them any more.
void Lender::end_loans(const std::map<SlotId, Loan>& loans) {
  if (loans.empty()) return;
  const MutexLock control(*setup_.control);
  LoanRecords::Changes ends;
  {
    const MutexLock lock(mutex_);
    for (const auto& [slot, loan] : loans)
      if (const auto lent = lent_.find(slot); lent != lent_.end() && lent->second.loan == loan)
        ends.emplace_back(slot, std::nullopt);
  }
  if (Status ended = records_.write(ends); !ended) return spdlog::warn("loans: {}", ended.error().message);
  const MutexLock lock(mutex_);
  for (const auto& [slot, none] : ends) {
    lent_.erase(slot);
    undecided_.insert(slot);
  }
  woken_ = true;
}

/// That they run what they were lent, or give it back when there is a copy of it here.
void Lender::ask_borrowers() {
  std::map<std::string, LoanQuestion> by_borrower;
  std::map<SlotId, Loan> asked;
  {
    const MutexLock lock(mutex_);
    for (const auto& [slot, lent] : lent_) asked[slot] = lent.loan;
  }
  if (asked.empty()) return;
  bool takes_back = false;
  const StateHere state = state_here();
  for (const auto& [slot, loan] : asked) {
    const auto lag = lag_of(state, slot);
    const bool warm = lag && *lag <= setup_.acceptable_lag;
    takes_back = takes_back || warm;
    LoanQuestion& question = by_borrower[loan.to];
    (warm ? question.give_back : question.take).push_back(slot);
  }
  const std::vector<std::pair<std::string, LoanQuestion>> questions(by_borrower.begin(), by_borrower.end());
  const auto answers = setup_.remote->ask_loans(questions, takes_back ? kGiveBackWait : kAnswerWait);
  std::map<SlotId, Loan> over;
  Slots not_held;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    for (const auto& [slot, loan] : asked) {
      if (loan.to != questions[i].first) continue;
      if (answers[i]->epoch != loan.epoch) {
        over[slot] = loan;
      } else if (std::ranges::find(answers[i]->held, slot) == answers[i]->held.end()) {
        not_held.push_back(slot);
      }
    }
  }
  end_loans(over);
  take_back(not_held);
}

/// As far as the log says that they were given back.
void Lender::take_back(const Slots& slots) {
  if (slots.empty()) return;
  if (Status read = setup_.slots->refresh(slots); !read) return spdlog::warn("slots: {}", read.error().message);
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : slots)
      if (!records_.find(slot) && lent_.erase(slot) > 0) undecided_.insert(slot);
    woken_ = true;
  }
}

LoanAnswer Lender::answer(const LoanQuestion& question) {
  give_back(question.give_back);
  take(question.take);
  LoanAnswer answer;
  if (!question.lags.empty()) {
    const auto behind = setup_.runner->behind();
    for (const SlotId slot : question.lags) {
      const auto found = behind.find(slot);
      answer.lags.push_back(found == behind.end() ? -1 : found->second);
    }
  }
  const MutexLock lock(mutex_);
  if (granted_.empty()) std::ranges::fill(answer.lags, -1);  // it may not borrow anything
  answer.epoch = epoch_;
  answer.held.assign(borrowed_.begin(), borrowed_.end());
  return answer;
}

void Lender::take(const Slots& slots) {
  Slots asked;
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : slots)
      if (!borrowed_.contains(slot)) asked.push_back(slot);
  }
  if (asked.empty()) return;
  const MutexLock control(*setup_.control);
  const Slots lent = lent_to_this(asked);
  Slots taken;
  LoanRecords::Changes refused;
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : lent) {
      if (granted_.contains(slot)) continue;  // the lender has not heard yet
      if (granted_.empty() || stopping_) {
        refused.emplace_back(slot, std::nullopt);
      } else if (borrowed_.insert(slot).second) {
        taken.push_back(slot);
      }
    }
  }
  if (!taken.empty()) setup_.runner->run_slots(taken);
  if (Status ended = records_.write(refused); !ended) spdlog::warn("loans: {}", ended.error().message);
}

/// Of these slots, as the log has it now. With control held.
Lender::Slots Lender::lent_to_this(const Slots& slots) {
  Slots lent;
  if (Status read = setup_.slots->refresh(slots); !read) {
    spdlog::warn("slots: {}", read.error().message);
    return lent;
  }
  const MutexLock lock(mutex_);
  for (const SlotId slot : slots)
    if (records_.find(slot) == Loan{setup_.address, epoch_}) lent.push_back(slot);
  return lent;
}

void Lender::give_back(const Slots& slots) {
  if (slots.empty()) return;
  const MutexLock control(*setup_.control);
  Slots given, others;
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : slots) (borrowed_.erase(slot) > 0 ? given : others).push_back(slot);
  }
  if (!given.empty()) setup_.runner->stop_slots(given, true);
  // Those that it was lent and never took, too.
  if (!others.empty())
    for (const SlotId slot : lent_to_this(others)) given.push_back(slot);
  LoanRecords::Changes ends;
  for (const SlotId slot : given) ends.emplace_back(slot, std::nullopt);
  // After an error the lender sees in the log what became of it, and asks again.
  if (Status ended = records_.write(ends); !ended) spdlog::warn("loans: {}", ended.error().message);
}

std::set<SlotId> Lender::warming_up() {
  std::set<SlotId> slots;
  if (!setup_.lends) return slots;
  const std::set<SlotId> with_state = setup_.runner->slots_with_state();
  const MutexLock lock(mutex_);
  for (const auto& [slot, lent] : lent_) {
    if (slots.size() >= static_cast<std::size_t>(setup_.warm_ups)) break;
    if (with_state.contains(slot)) slots.insert(slot);
  }
  return slots;
}

void Lender::correct(std::vector<std::string>& owners) {
  std::set<std::string> addresses(owners.begin(), owners.end());
  addresses.erase("");
  addresses.erase(setup_.address);
  std::vector<std::pair<std::string, LoanQuestion>> questions;
  for (const std::string& address : addresses) questions.emplace_back(address, LoanQuestion{});
  const auto answers = setup_.remote->ask_loans(questions, kAnswerWait);
  const auto runs = [&](SlotId slot, const std::string& address) {
    if (index_of(slot) < owners.size()) owners[index_of(slot)] = address;
  };
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (answers[i])
      for (const SlotId slot : answers[i]->held) runs(slot, questions[i].first);
  const MutexLock lock(mutex_);
  for (const auto& [slot, lent] : lent_) runs(slot, lent.loan.to);
  for (const SlotId slot : borrowed_) runs(slot, setup_.address);
}

}  // namespace millrace::inline exec
