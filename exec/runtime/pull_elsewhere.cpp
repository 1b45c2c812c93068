#include "exec/runtime/pull_elsewhere.h"

#include <algorithm>

namespace millrace::inline exec {

void EngineImpl::look_up_elsewhere(const std::shared_ptr<KeyElsewhere>& asked) {
  QueryRun& run = *asked->run;
  const std::string owner = owners_->of(run.layout.slot_of(asked->subtopology, asked->key.partition));
  if (owner.empty() || owner == options_.advertised) {
    if (!asked->looked) return look_for_owner(asked);
    return look_up_copies(asked, run.not_ready_partition(asked->key.partition, owner));
  }
  options_.remote->look_up(owner, asked->key, [this, asked](Result<TableEntries> answer) {
    if (answer || answer.error().fault != Fault::unavailable) return asked->found(std::move(answer));
    if (!asked->looked) return look_for_owner(asked);
    look_up_copies(asked, answer.error());
  });
}

void EngineImpl::look_for_owner(const std::shared_ptr<KeyElsewhere>& asked) {
  asked->looked = true;
  owners_->look([this, asked] { look_up_elsewhere(asked); });
}

/// One after the other. `why`: the owner could not be asked.
void EngineImpl::look_up_copies(const std::shared_ptr<KeyElsewhere>& asked, Error why) {
  if (!asked->allowed_lag) return asked->found(std::move(why));
  if (!asked->key.max_lag) {
    asked->key.max_lag = asked->allowed_lag;
    asked->copies = keepers_of(asked->run->layout.slot_of(asked->subtopology, asked->key.partition));
    std::ranges::reverse(asked->copies);
  }
  if (asked->copies.empty()) return asked->found(std::move(why));
  const std::string keeper = std::move(asked->copies.back());
  asked->copies.pop_back();
  const auto answered = [this, asked, why = std::move(why)](Result<TableEntries> answer) {
    if (!answer && answer.error().fault == Fault::unavailable) return look_up_copies(asked, why);
    asked->found(std::move(answer));
  };
  if (keeper == options_.advertised)
    look_up_here(asked->key, answered);
  else
    options_.remote->look_up(keeper, asked->key, answered);
}

ScanElsewhere::ScanElsewhere(EngineImpl& engine, std::shared_ptr<QueryRun> run, std::size_t subtopology,
                             TableRange range, bool one_by_one, std::optional<std::int64_t> allowed_lag)
    : engine_(engine),
      run_(std::move(run)),
      subtopology_(subtopology),
      range_(std::move(range)),
      one_by_one_(one_by_one),
      allowed_lag_(allowed_lag) {}

void ScanElsewhere::ask(Part& part) {
  TableRange range = range_;
  range.partitions = part.partitions;
  if (part.copies) range.max_lag = allowed_lag_;
  if (part.keeper != engine_.options().advertised) {
    part.pages = engine_.options().remote->scan(part.keeper, range);
    return;
  }
  if (auto pages = engine_.scan_here(std::move(range))) part.pages = std::move(*pages);
}

/// Who is to be asked for a partition now. Empty: nobody is known any more.
std::string ScanElsewhere::keeper_of(int partition, bool& copies) {
  const SlotId slot = run_->layout.slot_of(subtopology_, partition);
  copies = copies_tried_.contains(partition);
  if (!copies) {
    std::string owner = engine_.owners().of(slot);
    return owner == engine_.options().advertised ? std::string() : owner;
  }
  const std::vector<std::string> keepers = engine_.keepers_of(slot);
  const std::size_t tried = copies_tried_[partition];
  return tried < keepers.size() ? keepers[tried] : std::string();
}

Status ScanElsewhere::share_out() {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < range_.partitions.size(); ++i) {
    const int partition = range_.partitions[i];
    bool copies = false;
    const std::string keeper = keeper_of(partition, copies);
    if (keeper.empty()) {
      if (!looked_) {
        look();
      } else if (!copies && allowed_lag_) {
        copies_tried_[partition] = 0;
      } else {
        return why_ ? *why_
                    : run_->not_ready_partition(partition,
                                                engine_.owners().of(run_->layout.slot_of(subtopology_, partition)));
      }
      parts.clear();
      i = static_cast<std::size_t>(-1);
      continue;
    }
    auto part =
        std::ranges::find_if(parts, [&](const Part& one) { return one.keeper == keeper && one.copies == copies; });
    if (part == parts.end()) part = parts.insert(parts.end(), Part{.keeper = keeper, .copies = copies});
    part->partitions.push_back(partition);
  }
  range_.partitions.clear();
  for (Part& part : parts) {
    if (!one_by_one_) ask(part);
    parts_.push_back(std::move(part));
  }
  return {};
}

void ScanElsewhere::look() {
  looked_ = true;
  engine_.owners().look();
}

/// The keeper of the last part does not have the first of its partitions. False: nobody else may.
bool ScanElsewhere::try_others(const Error& why) {
  if (parts_.back().begun) return false;
  if (!parts_.back().copies && !looked_) {
    for (const Part& part : parts_)
      range_.partitions.insert(range_.partitions.end(), part.partitions.begin(), part.partitions.end());
    parts_.clear();
    look();
    return true;
  }
  if (!allowed_lag_) return false;
  const Part part = std::move(parts_.back());
  parts_.pop_back();
  if (part.copies) {
    ++copies_tried_[part.partitions.front()];
  } else {
    copies_tried_[part.partitions.front()] = 0;
    why_ = why;
  }
  range_.partitions = part.partitions;
  return true;
}

Result<bool> ScanElsewhere::next(TableEntries& out) {
  while (true) {
    if (!range_.partitions.empty())
      if (Status shared = share_out(); !shared) return shared.error();
    if (parts_.empty()) return false;
    Part& part = parts_.back();
    if (part.pages == nullptr) ask(part);
    auto page = part.pages != nullptr
                    ? part.pages->next()
                    : Result<TablePages::Page>(unavailable_error("the query {} does not run here", range_.query));
    if (!page) {
      if (page.error().fault != Fault::unavailable || !try_others(page.error())) return page.error();
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
