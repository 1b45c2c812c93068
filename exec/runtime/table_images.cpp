#include "exec/runtime/table_images.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::seconds kIdle{60};

}  // namespace

TableImagePtr TableImages::find(const Place& place, std::uint64_t version) {
  const MutexLock lock(mutex_);
  const TableImagePtr* const found = images_.find(place);
  if (found == nullptr) return nullptr;
  if ((*found)->version == version) return *found;
  images_.erase(place);  // a store does not go back
  return nullptr;
}

void TableImages::put(const Place& place, TableImagePtr image) {
  const std::size_t bytes = image->bytes;
  const MutexLock lock(mutex_);
  if (bytes > most_bytes_)
    images_.erase(place);
  else
    images_.put(place, std::move(image), bytes);
}

void TableImages::forget_idle() {
  const MutexLock lock(mutex_);
  images_.forget_idle(kIdle);
}

}  // namespace millrace::inline exec
