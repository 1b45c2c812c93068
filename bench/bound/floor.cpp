#include "bench/bound/floor.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "bench/bound/steps.h"
#include "bench/bound/usage.h"

namespace bound {
namespace {

/// Rows as they would go to a log, as long as there is room; then from the beginning again.
class Buffer {
 public:
  void put(int, std::string_view key, std::string_view value) {
    if (bytes_.size() - used_ < key.size() + value.size()) used_ = 0;
    std::memcpy(bytes_.data() + used_, key.data(), key.size());
    std::memcpy(bytes_.data() + used_ + key.size(), value.data(), value.size());
    used_ += key.size() + value.size();
    ++rows_;
  }
  std::int64_t rows() const { return rows_; }

 private:
  std::vector<char> bytes_ = std::vector<char>(1 << 20);
  std::size_t used_ = 0;
  std::int64_t rows_ = 0;
};

struct Lines {
  explicit Lines(const std::string& path) {
    std::ostringstream read;
    read << std::ifstream(path).rdbuf();
    bytes = std::move(read).str();
    for (std::size_t from = 0; from < bytes.size();) {
      const std::size_t end = std::min(bytes.find('\n', from), bytes.size());
      lines.push_back(std::string_view(bytes).substr(from, end - from));
      from = end + 1;
    }
  }
  std::string bytes;
  std::vector<std::string_view> lines;
};

template <class Step>
void run(const std::string& name, Step step, const Lines& values) {
  Buffer output;
  const auto began = Clock::now();
  const double before = usage().cpu_seconds;
  for (const std::string_view value : values.lines) step.take(Record{0, {}, value}, output);
  step.finish(output);
  const std::chrono::duration<double> seconds = Clock::now() - began;
  const auto count = static_cast<double>(values.lines.size());
  std::printf(
      R"({"engine":"floor","workload":"%s","events":%zu,"rows_out":%lld,"seconds":%.3f,"events_per_second":%.0f,)"
      R"("cpu_seconds_per_million":%.3f,"peak_rss_mb":%.1f})"
      "\n",
      name.c_str(), values.lines.size(), static_cast<long long>(output.rows()), seconds.count(),
      count / seconds.count(), (usage().cpu_seconds - before) * 1e6 / count, usage().peak_rss_mb);
}

}  // namespace

bool run_floor(const std::string& name, const std::string& values, const std::string& table) {
  const Lines lines(values);
  if (name == "w1") return run(name, Project(), lines), true;
  if (name == "w2") return run(name, Filter(), lines), true;
  if (name == "w3") return run(name, Aggregate(), lines), true;
  if (name == "w4") return run(name, Totals<&Bid::bidder>(), lines), true;
  if (name == "keyed") return run(name, Totals<&Bid::auction>(), lines), true;
  if (name == "wide") return run(name, Wide(), lines), true;
  if (name != "w5") return false;
  Join join;
  for (const std::string_view row : Lines(table).lines) join.add(row);
  run(name, std::move(join), lines);
  return true;
}

}  // namespace bound
