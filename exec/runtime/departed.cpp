#include "exec/runtime/departed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <iterator>

namespace millrace::inline exec {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 1s;
constexpr std::size_t kAtOnce = 8;       // writers ended side by side
constexpr std::ptrdiff_t kWhoLooks = 2;  // members that end what others have left: one of them may have just come
constexpr int kMostWorkers = 1024;

/// Of what process the member is, and how many workers it has; 0: it does not tell.
std::pair<std::string, int> process_of(const std::string& member) {
  const std::size_t dot = member.rfind('.');
  int workers = 0;
  if (dot == std::string::npos) return {member, 0};
  const char* const end = member.data() + member.size();
  const auto [to, error] = std::from_chars(member.data() + dot + 1, end, workers);
  if (error != std::errc() || to != end || workers < 1 || workers > kMostWorkers) return {member, 0};
  return {member.substr(0, dot), workers};
}

/// Of a list with commas.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

std::string member_id_of(const std::string& process, int workers) {
  return fmt::format("{}.{}", process, workers);
}

DepartedProcesses::DepartedProcesses(Log& log, Membership& membership, std::string service, std::string own,
                                     int workers, Combinations combinations)
    : log_(log),
      membership_(membership),
      service_(std::move(service)),
      own_(std::move(own)),
      workers_(workers),
      combinations_(std::move(combinations)),
      thread_([this] { run(); }) {}

void DepartedProcesses::look() {
  const MutexLock lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

void DepartedProcesses::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DepartedProcesses::run() {
  MutexLock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kLookEvery, [&]() REQUIRES(mutex_) { return asked_ || stopping_; });
    if (stopping_) return;
    asked_ = false;
    lock.unlock();
    for (const std::string& member : find_gone()) end_writers(member);
    lock.lock();
  }
}

DepartedProcesses::Ids DepartedProcesses::find_gone() {
  const auto members = membership_.member_ids();
  if (!members) return {};
  Ids now(members->begin(), members->end());
  const auto own = now.find(own_);
  if (own == now.end()) return {};  // the group may have gone on without this process: what it is told means nothing
  Ids gone;
  std::set_difference(known_.begin(), known_.end(), now.begin(), now.end(), std::inserter(gone, gone.end()));
  // A process that has come back with another number of workers has the writers that it had.
  for (const std::string& member : now)
    std::erase_if(gone, [&](const std::string& one) { return process_of(one).first == process_of(member).first; });
  const bool looks = std::distance(now.begin(), own) < kWhoLooks;
  known_ = std::move(now);
  return looks ? gone : Ids{};
}

/// What a writer has in other clusters has a name of its own (KafkaLog::writer).
std::vector<std::string> DepartedProcesses::writers_of(const ProcessWriters& writers, int workers) {
  std::vector<std::string> names;
  const std::vector<std::string> clusters = log_.clusters();
  const auto elsewhere = [&](std::string_view combination) {
    const std::string writer = names.back();
    for (const std::string& cluster : clusters)
      if (has_word(combination, cluster) && !log_.is_away(cluster)) names.push_back(writer + "@" + cluster);
  };
  std::set<std::string> combinations(clusters.begin(), clusters.end());
  if (combinations_)
    for (std::string& one : combinations_()) combinations.insert(std::move(one));
  combinations.erase(std::string());
  for (int i = 0; i < workers; ++i) {
    names.push_back(writers.worker(i));
    for (const std::string& combination : combinations) {
      names.push_back(writers.worker(combination, i));
      elsewhere(combination);
    }
  }
  names.push_back(writers.loans());
  names.push_back(writers.statements());
  elsewhere(fmt::format("{}", fmt::join(clusters, ",")));
  return names;
}

/// Whoever makes a writer of that name ends what the one before has left.
void DepartedProcesses::end_writers(const std::string& member) {
  const auto [process, workers] = process_of(member);
  const std::vector<std::string> names = writers_of({service_, process}, workers > 0 ? workers : workers_);
  for (std::size_t from = 0; from < names.size(); from += kAtOnce) {
    std::vector<std::future<Status>> ended;
    for (std::size_t i = from; i < std::min(names.size(), from + kAtOnce); ++i)
      ended.push_back(std::async(std::launch::async, [this, name = names[i]]() -> Status {
        const auto writer = log_.writer(name, nullptr);
        return writer ? Status{} : writer.error();
      }));
    for (auto& one : ended)
      if (const Status done = one.get(); !done)
        spdlog::warn("what process {} has left open: {}", process, done.error().message);
  }
  spdlog::info("process {} has left the service: its transactions are ended", process);
}

}  // namespace millrace::inline exec
