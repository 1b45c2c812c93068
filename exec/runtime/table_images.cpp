#include "exec/runtime/table_images.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

constexpr std::chrono::seconds kIdle{60};

}  // namespace

void TableImages::erase(Images::iterator at) {
  bytes_ -= at->second.image->bytes;
  images_.erase(at);
}

TableImagePtr TableImages::find(const Place& place, std::uint64_t version) {
  const MutexLock lock(mutex_);
  const auto found = images_.find(place);
  if (found == images_.end()) return nullptr;
  if (found->second.image->version != version) {
    erase(found);  // a store does not go back
    return nullptr;
  }
  found->second.asked = Clock::now();
  return found->second.image;
}

void TableImages::put(const Place& place, TableImagePtr image) {
  const MutexLock lock(mutex_);
  if (const auto before = images_.find(place); before != images_.end()) erase(before);
  if (image->bytes > most_bytes_) return;
  while (bytes_ + image->bytes > most_bytes_)
    erase(std::min_element(images_.begin(), images_.end(),
                           [](const auto& a, const auto& b) { return a.second.asked < b.second.asked; }));
  bytes_ += image->bytes;
  images_[place] = {std::move(image), Clock::now()};
}

void TableImages::forget_idle() {
  const MutexLock lock(mutex_);
  const auto since = Clock::now() - kIdle;
  for (auto at = images_.begin(); at != images_.end();) {
    const auto here = at++;
    if (here->second.asked < since) erase(here);
  }
}

}  // namespace millrace::inline exec
