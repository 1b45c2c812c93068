#include "exec/runtime/pull_elsewhere.h"

#include <algorithm>

namespace millrace::inline exec {

void EngineImpl::look_up_elsewhere(const std::shared_ptr<KeyElsewhere>& asked) {
  QueryRun& run = *asked->run;
  const std::string owner = owners_->of(run.layout.slot_of(asked->subtopology, asked->key.partition));
  if (owner.empty() || owner == options_.advertised) {
    if (!asked->looked) return look_for_owner(asked);
    return asked->found(run.not_ready_partition(asked->key.partition, owner));
  }
  options_.remote->look_up(owner, asked->key, [this, asked](Result<TableEntries> answer) {
    if (!answer && answer.error().fault == Fault::unavailable && !asked->looked) return look_for_owner(asked);
    asked->found(std::move(answer));
  });
}

void EngineImpl::look_for_owner(const std::shared_ptr<KeyElsewhere>& asked) {
  asked->looked = true;
  owners_->look([this, asked] { look_up_elsewhere(asked); });
}

ScanElsewhere::ScanElsewhere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::size_t subtopology,
                             TableRange range, bool one_by_one)
    : engine_(engine),
      run_(std::move(run)),
      subtopology_(subtopology),
      range_(std::move(range)),
      one_by_one_(one_by_one) {}

void ScanElsewhere::ask(Part& part) {
  TableRange range = range_;
  range.partitions = part.partitions;
  part.pages = engine_.options().remote->scan(part.owner, range);
}

Status ScanElsewhere::share_out() {
  while (true) {
    int missing = -1;
    std::string at;
    for (const int partition : range_.partitions) {
      const std::string owner = engine_.owners().of(run_->layout.slot_of(subtopology_, partition));
      if (owner.empty() || owner == engine_.options().advertised) {
        missing = partition;
        at = owner;
        continue;
      }
      auto part = std::ranges::find(parts_, owner, &Part::owner);
      if (part == parts_.end())
        part = parts_.insert(parts_.end(), Part{.owner = owner, .partitions = {}, .pages = nullptr});
      part->partitions.push_back(partition);
    }
    if (missing < 0) break;
    if (looked_) return run_->not_ready_partition(missing, at);
    parts_.clear();
    looked_ = true;
    engine_.owners().look();
  }
  range_.partitions.clear();
  if (!one_by_one_)
    for (Part& part : parts_) ask(part);
  return {};
}

void ScanElsewhere::start_over() {
  for (const Part& part : parts_)
    range_.partitions.insert(range_.partitions.end(), part.partitions.begin(), part.partitions.end());
  parts_.clear();
  looked_ = true;
  engine_.owners().look();
}

Result<bool> ScanElsewhere::next(TableEntries& out) {
  while (true) {
    if (!range_.partitions.empty())
      if (Status shared = share_out(); !shared) return shared.error();
    if (parts_.empty()) return false;
    Part& part = parts_.back();
    if (part.pages == nullptr) ask(part);
    auto page = part.pages->next();
    if (!page) {
      if (page.error().fault != Fault::unavailable || part.begun || looked_) return page.error();
      start_over();
      continue;
    }
    out = std::move(page->entries);
    part.begun = !page->last;
    if (page->last) part.partitions.erase(part.partitions.begin());
    if (part.partitions.empty()) parts_.pop_back();
    return true;
  }
}

}  // namespace millrace::inline exec
