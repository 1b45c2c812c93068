#include "exec/state/spill.h"

#include <algorithm>
#include <vector>

#include "exec/log/failpoint.h"
#include "exec/state/state_db.h"

namespace millrace::inline exec {

Status spill_stores(StateDb& db, std::span<Store* const> stores) {
  std::vector<Store*> writing;
  for (Store* store : stores)
    if (store->has_to_write()) writing.push_back(store);
  if (writing.empty()) return {};
  std::sort(writing.begin(), writing.end(),
            [](const Store* a, const Store* b) { return a->file_order() < b->file_order(); });
  auto file = db.new_file();
  if (!file) return file.error();
  for (Store* store : writing)
    if (Status put = store->write(**file); !put) return put;
  if (Status hit = failpoint::hit(failpoint::kSpill); !hit) return hit;
  if (Status finished = (*file)->finish(); !finished) return finished;
  for (Store* store : writing) store->written();
  return {};
}

}  // namespace millrace::inline exec
